"""What is measured once over the train images and kept with the explainer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainer.registration import registered


@registered
class TrackStatistics(keras.layers.Layer):
    """Means and variances over the train images, kept as weights.

    Args:
        track_shape: `(H, W, F)` of the normalised tracks.
        targets: number of target layers.

    Weights, none trained, all float32:
        `target_variance` `(targets,)`: `Σ‖x - x̄‖² / N` of each target; the squared
            error of a reconstruction is divided by it.
        `logits_variance`: the same of the logits.
        `interpretable_mean`, `ordinary_mean` `(H, W, F)`: mean of the normalised tracks
            over the train images; what stands in for a track that is taken away.
        `interpretable_variance`, `ordinary_variance`: mean over cells and channels of
            the variance over images.
        `measured`: 1 when the track figures have been measured; `started`: 1 when the
            target variances have been and the warm start has been made.
    """

    def __init__(self, track_shape: Any, targets: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.track_shape = tuple(track_shape)
        self.targets = targets
        weights: dict[str, tuple[int, ...]] = {
            "target_variance": (targets,),
            "logits_variance": (),
            "interpretable_mean": self.track_shape,
            "ordinary_mean": self.track_shape,
            "interpretable_variance": (),
            "ordinary_variance": (),
            "measured": (),
            "started": (),
        }
        for name, shape in weights.items():
            one = name in ("target_variance", "logits_variance")
            weight = self.add_weight(
                shape=shape,
                initializer="ones" if one else "zeros",
                trainable=False,
                dtype="float32",
                autocast=False,
                aggregation="only_first_replica",
                name=name,
            )
            setattr(self, name, weight)
        self.built = True

    @property
    def is_measured(self) -> bool:
        """Whether the track figures have been measured on train images."""
        return float(ops.convert_to_numpy(self.measured)) > 0

    def call(self, inputs: Any) -> Any:
        return inputs

    def variance_share(self, share: float) -> float | None:
        """`p²V_i / (p²V_i + (1-p)²V_o)`; None before it was measured."""
        if not self.is_measured:
            return None
        interpretable = share**2 * float(self.interpretable_variance)
        ordinary = (1 - share) ** 2 * float(self.ordinary_variance)
        total = interpretable + ordinary
        return interpretable / total if total > 0 else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "track_shape": self.track_shape,
            "targets": self.targets,
        }


class RunningMoments:
    """Mean and mean squared deviation per feature over batches, in float64."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray | float = 0.0
        self.squares: np.ndarray | float = 0.0

    def update(self, batch: np.ndarray) -> None:
        """Adds `(n, ...)` examples (merged moments, Chan et al. 1979)."""
        if not len(batch):
            return
        mean = batch.mean(0, dtype="float64")
        away = batch - mean.astype(batch.dtype)
        squares = np.square(away, out=away).sum(0)
        count = self.count + len(batch)
        delta = mean - self.mean
        self.squares = (
            self.squares + squares + np.square(delta) * self.count * len(batch) / count
        )
        self.mean = self.mean + delta * len(batch) / count
        self.count = count

    @property
    def total_variance(self) -> float:
        """Sum over features of the variance over examples."""
        return float(np.sum(self.squares) / max(self.count, 1))

    @property
    def mean_variance(self) -> float:
        """Mean over features of the variance over examples."""
        return float(np.mean(self.squares) / max(self.count, 1))
