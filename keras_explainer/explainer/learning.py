"""How an explainer learns: start, schedule, divergence, and measures at the end."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import EpochOrder, FeatureSequence
from keras_explainer.errors import ConfigError, DataError, DivergenceError
from keras_explainer.explainer import warm_start
from keras_explainer.explainer.data_input import CacheOptions, FeatureStream
from keras_explainer.explainer.decoders import TeacherCopyDecoder
from keras_explainer.explainer.relevance import relevance
from keras_explainer.explainer.track_statistics import RunningMoments

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer

logger = logging.getLogger(__name__)

START_IMAGES = 256


def default_jit() -> Any:
    """`jit_compile` where the user gives none: off for TensorFlow without a GPU."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return "auto" if tf.config.list_physical_devices("GPU") else False
    return "auto"


def fit(
    explainer: Explainer,
    x: Any,
    *,
    batch_size: int,
    epochs: int,
    verbose: Any,
    callbacks: Sequence[Any] | None,
    validation_split: float,
    validation_data: Any,
    options: CacheOptions,
    keras_fit: Callable[..., Any],
    **kwargs: Any,
) -> Any:
    """`Explainer.fit`: features, start, Keras' own loop, measures."""
    if getattr(explainer, "optimizer", None) is None:
        raise ConfigError(
            "Call explainer.compile() before fit: compile(optimizer='adam') takes the "
            "recipe's learning rate."
        )
    if not 0 <= validation_split < 1:
        raise ConfigError(f"validation_split is in [0, 1), got {validation_split}.")
    for name in ("class_weight", "sample_weight"):
        if kwargs.pop(name, None) is not None:
            raise ConfigError(f"fit takes no {name}: there are no labels to weigh.")
    shuffle = kwargs.pop("shuffle", True)
    features = explainer.features(
        x,
        views=explainer.views,
        options=options,
        verbose=verbose,
        batch_size=batch_size,
    )
    if validation_split and validation_data is None:
        if not isinstance(features, FeatureCache):
            raise ConfigError("validation_split needs images that can be cached.")
        held = max(1, round(validation_split * len(features)))
        if held >= len(features):
            raise DataError(
                f"{len(features)} images cannot be split: none would be left to learn."
            )
        validation_data = features.rows(len(features) - held, len(features))
        features = features.rows(0, len(features) - held)
    if isinstance(features, FeatureCache) and len(features) < 2:
        raise DataError(
            "An explainer cannot be learned from one image: the filter loss compares "
            "images. Give at least two, better a hundred."
        )
    start(explainer, features)
    guard = KeepLastGood()
    ours: list[keras.callbacks.Callback] = [guard]
    held_out = None
    steps = _steps(features, batch_size, kwargs)
    data: Any
    if isinstance(features, FeatureCache):
        data = FeatureSequence(
            features,
            batch_size,
            explainer.recipe.views_per_step,
            shuffle=shuffle,
            seed=explainer.seed,
        )
        ours.append(EpochOrder(data))
    else:
        data = features.forever()
        kwargs["steps_per_epoch"] = steps
    if validation_data is not None:
        seen = explainer.features(
            validation_data, views=explainer.views, verbose=verbose
        )
        if isinstance(seen, FeatureStream):
            seen = seen.sample(START_IMAGES * 4)
        held_out = FeatureSequence(seen, batch_size)
    schedule_rate(explainer, steps * epochs)
    history = keras_fit(
        data,
        epochs=epochs,
        verbose=verbose,
        callbacks=[*ours, *(callbacks or [])],
        validation_data=held_out,
        # The data shuffles itself; Keras would shuffle by a global random state, so
        # that resumed learning would see the batches in another order.
        shuffle=False,
        **kwargs,
    )
    measure_tracks(explainer, features)
    if guard.diverged is not None:
        raise DivergenceError(
            f"The loss became {guard.diverged} in epoch {guard.epoch + 1}; the weights "
            "of the last good epoch were kept. A smaller learning rate or a larger "
            "batch helps."
        )
    return history


def _steps(
    features: FeatureCache | FeatureStream, batch_size: int, kwargs: dict[str, Any]
) -> int:
    given = kwargs.get("steps_per_epoch")
    if given:
        return int(given)
    if isinstance(features, FeatureCache):
        return max(1, len(features) // batch_size)
    if features.steps is None:
        raise ConfigError(
            "The dataset does not know its length: give steps_per_epoch or cache_key."
        )
    return features.steps


def start(explainer: Explainer, features: FeatureCache | FeatureStream) -> None:
    """Before the first step: variances of the targets, and the warm start."""
    if float(ops.convert_to_numpy(explainer.statistics.started)) > 0:
        return
    sample = features if isinstance(features, FeatureCache) else features.sample(256)
    _measure_targets(explainer, sample)
    tap = start_sample(sample)
    if explainer.recipe.warm_start:
        weights = relevance(explainer.teacher, tap)
        warm_start.start_encoder(explainer.encoder, tap, explainer.seed, weights)
    warm_start.start_norms(explainer.encoder, tap)
    if explainer.recipe.warm_start and isinstance(
        explainer.decoder, TeacherCopyDecoder
    ):
        warm_start.start_adapter(explainer.encoder, explainer.decoder, tap)
    explainer.statistics.started.assign(1.0)


def start_sample(features: FeatureCache) -> np.ndarray:
    """Up to `START_IMAGES` maps, two views of an image where there are."""
    views = min(2, features.views)
    count = min(len(features), START_IMAGES // views)
    rows = np.unique(np.linspace(0, len(features) - 1, count).astype(int))
    tap = np.asarray(features.tap[rows, :views], "float32")
    return tap.reshape(-1, *tap.shape[2:])


def _measure_targets(explainer: Explainer, features: FeatureCache) -> None:
    moments = [RunningMoments() for _ in explainer.target_shapes]
    logits = RunningMoments()
    for begin in range(0, len(features), 32):
        for index, name in enumerate(explainer.target_shapes):
            values = np.asarray(
                features.targets[name][begin : begin + 32, 0], "float32"
            )
            moments[index].update(values)
        if explainer.teacher.has_head:
            answer = explainer.teacher.head(ops.convert_to_tensor(values))["logits"]
            if answer is not None:
                logits.update(ops.convert_to_numpy(answer))
    statistics = explainer.statistics
    variances = [moment.total_variance for moment in moments]
    if not all(math.isfinite(v) and v > 0 for v in variances):
        flat = [
            name
            for name, v in zip(explainer.target_shapes, variances, strict=True)
            if not v > 0
        ]
        raise DataError(
            f"The teacher's features at {', '.join(flat)} are the same for all images: "
            "there is nothing to learn. Are the images all alike?"
        )
    statistics.target_variance.assign(np.asarray(variances, "float32"))
    if logits.count and logits.total_variance > 0:
        statistics.logits_variance.assign(logits.total_variance)


def schedule_rate(explainer: Explainer, steps: int) -> None:
    """Warm-up over a tenth of the steps, then a cosine decay to a fiftieth."""
    if explainer._scheduled is None or not steps:
        return
    warm = max(1, steps // 10)
    explainer.optimizer.learning_rate = keras.optimizers.schedules.CosineDecay(
        explainer._scheduled / 20,
        decay_steps=max(1, steps - warm),
        alpha=0.02,
        warmup_target=explainer._scheduled,
        warmup_steps=warm,
    )


def measure_tracks(
    explainer: Explainer, features: FeatureCache | FeatureStream
) -> None:
    """Means and variances of both normalised tracks over the train images."""
    if isinstance(features, FeatureStream):
        features = features.sample(START_IMAGES)
    moments = {"interpretable": RunningMoments(), "ordinary": RunningMoments()}
    for begin in range(0, len(features), 64):
        tap = np.asarray(features.tap[begin : begin + 64, 0], "float32")
        outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
        for name, moment in moments.items():
            moment.update(ops.convert_to_numpy(ops.cast(outputs[name], "float32")))
    statistics = explainer.statistics
    for name, moment in moments.items():
        getattr(statistics, f"{name}_mean").assign(np.asarray(moment.mean, "float32"))
        getattr(statistics, f"{name}_variance").assign(moment.mean_variance)
    statistics.measured.assign(1.0)


class KeepLastGood(keras.callbacks.Callback):
    """Stops when the loss is NaN or infinite, at the last good epoch's weights.

    Attributes:
        diverged: the loss that was not finite, or None.
        epoch: the epoch in which it was seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.diverged: float | None = None
        self.epoch = 0
        self._weights: list[np.ndarray] | None = None
        # Of the last epoch: good once a step has begun from them with a finite loss.
        self._candidate: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._weights = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self.diverged = loss
            self.model.stop_training = True
        elif self._candidate is not None:
            self._weights, self._candidate = self._candidate, None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.diverged is None:
            weights = self.model.get_weights()
            if all(np.isfinite(values).all() for values in weights):
                self._candidate = weights
                return
            self.diverged = math.nan
            self.model.stop_training = True
        if self._weights is not None:
            self.model.set_weights(self._weights)


@contextmanager
def progress_bar(
    title: str, verbose: Any
) -> Iterator[Callable[[int, int], None] | None]:
    """A Keras progress bar on a terminal; nothing elsewhere or with `verbose=0`."""
    if not verbose or (verbose == "auto" and not sys.stderr.isatty()):
        yield None
        return
    bar: list[Any] = []

    def show(done: int, total: int) -> None:
        if not bar:
            logger.info("%s", title)
            bar.append(keras.utils.Progbar(total, unit_name="image"))
        bar[0].update(done)

    yield show
