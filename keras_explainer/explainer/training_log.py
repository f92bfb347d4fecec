"""What `fit` and `evaluate` report: losses, `p` and fidelity, as Keras metrics."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.metrics import (
    DeadFilters,
    ExplainedVariance,
    TeacherKL,
    Top1Agreement,
)


class MeanOrNothing(keras.metrics.Mean):
    """A mean that is NaN, not 0, while nothing has been counted."""

    def result(self) -> Any:
        return ops.where(self.count > 0, super().result(), float("nan"))


class TrainingLog:
    """The streaming metrics of an explainer.

    A plain object, so that metric states are not saved with the model.

    Args:
        losses: names of the losses that the objective computes.
        target_shapes: `{target: shape}`.
        outputs: number of the teacher's outputs, or None where it has no head.
        filters: number of filters.

    Logged names: each loss, `p`, `explained_variance_<target>` (`/` as `_`),
    `explained_variance_logits`, `kl`, `top1_agreement`, `dead_filters`.
    """

    def __init__(
        self,
        losses: list[str],
        target_shapes: dict[str, tuple[int, ...]],
        outputs: int | None,
        filters: int,
        activation: str | None,
    ) -> None:
        self.losses = {name: MeanOrNothing(name=name) for name in losses}
        self.share = MeanOrNothing(name="p")
        self.variance = {
            name: ExplainedVariance(
                shape, name=f"explained_variance_{name.replace('/', '_')}"
            )
            for name, shape in target_shapes.items()
        }
        self.dead = DeadFilters(filters)
        self.logits = None
        self.agreement = None
        self.divergence = None
        if outputs is not None:
            self.logits = ExplainedVariance(
                (outputs,), name="explained_variance_logits"
            )
            if activation in ("softmax", "sigmoid"):
                self.agreement = Top1Agreement(name="top1_agreement")
            if activation == "softmax" and outputs > 1:
                self.divergence = TeacherKL(name="kl")

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """All metrics, in the order in which they are logged."""
        fidelity = [self.logits, self.divergence, self.agreement, self.dead]
        return [
            *self.losses.values(),
            self.share,
            *self.variance.values(),
            *(metric for metric in fidelity if metric is not None),
        ]

    def update(self, batch: dict[str, Any], losses: dict[str, Any], share: Any) -> None:
        """Adds a batch (see `Objective`), its losses and the present `p`."""
        outputs = batch["outputs"]
        for name, value in losses.items():
            self.losses[name].update_state(value)
        self.share.update_state(share)
        for name, features in batch["targets"].items():
            self.variance[name].update_state(features, outputs["reconstructions"][name])
        self.dead.update_state(outputs["maps"])
        if batch["logits"] is not None:
            pair = (batch["logits"], batch["reconstructed_logits"])
            for metric in (self.logits, self.divergence, self.agreement):
                if metric is not None:
                    metric.update_state(*pair)
