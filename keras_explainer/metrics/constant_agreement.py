"""What always giving the teacher's most frequent answer would agree."""

from __future__ import annotations

from typing import Any, ClassVar

from keras import ops

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics.streaming_metric import StreamingMetric, ratio
from keras_explainer.metrics.top1_agreement import top1
from keras_explainer.registration import registered


@registered
class ConstantAgreement(StreamingMetric):
    """Share of the teacher's most frequent arg-max class: the baseline of agreement.

    A property of teacher and images, not of an explainer; the lower it is, the more
    `Top1Agreement` says. With one output (binary sigmoid) the classes are above and
    not above 0 as a logit, 0.5 as a probability.

    Merge rule: `answers` are sums by class; replicas merge by addition (the maximum is
    taken of the merged sums, never of parts).

    Args:
        from_logits: whether the outputs are logits; matters with one output only.
        classes: number of outputs; taken from the first batch when `None`.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.

    Raises:
        ConfigError: `classes` is not positive.
    """

    direction: ClassVar[str] = "down"

    def __init__(
        self,
        from_logits: bool = True,
        classes: int | None = None,
        name: str = "top1_constant",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if classes is not None and classes < 1:
            raise ConfigError(f"classes must be at least 1; got {classes}.")
        self.from_logits = bool(from_logits)
        self.classes = classes
        self.answers: Any = None
        if classes is not None:
            self._build(classes)

    def _build(self, outputs: int) -> None:
        self._outputs = outputs
        self.answers = self.add_sum("answers", (max(outputs, 2),))

    def update_state(
        self, y_true: Any, y_pred: Any = None, sample_weight: Any = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: (n, ..., classes) teacher's outputs.
            y_pred: not used; takes what `compile` hands to every metric.
            sample_weight: (n,) weight of each image.

        Raises:
            DataError: `y_true` has no class axis, or another number of classes than
                before.
        """
        y_true = self.as_outputs(y_true)
        outputs = y_true.shape[-1]
        if self.answers is None:
            self._build(outputs)
        if outputs != self._outputs:
            raise DataError(
                f"{type(self).__name__} counts {self._outputs} classes; got outputs of "
                f"shape {tuple(y_true.shape)}."
            )
        weights = self.image_weights(sample_weight, y_true)
        answer = ops.one_hot(
            top1(y_true, self.from_logits),
            self.answers.shape[0],
            dtype=self.state_dtype,
        )
        if len(answer.shape) > 2:
            answer = ops.mean(answer, axis=tuple(range(1, len(answer.shape) - 1)))
        self.answers.assign(self.answers + ops.sum(weights[:, None] * answer, axis=0))

    def result(self) -> Any:
        """Scalar share, 1 / classes to 1; NaN before the first image."""
        if self.answers is None:
            return ops.convert_to_tensor(float("nan"), dtype=self.state_dtype)
        return ratio(ops.max(self.answers), ops.sum(self.answers))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "classes": self.classes,
        }
