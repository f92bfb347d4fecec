"""Agreement of the reconstruction's answers with the teacher's."""

from __future__ import annotations

from typing import Any, ClassVar

from keras import ops

from keras_explainer.metrics.image_mean import ImageMean
from keras_explainer.registration import registered


@registered
class Top1Agreement(ImageMean):
    """Share of images on which the arg-max class equals the teacher's.

    With one output (a binary sigmoid teacher) the answer is whether it is above 0 as a
    logit or above 0.5 as a probability. A reconstruction that is NaN never agrees.

    Nearly empty on images of a single category: read it beside `ConstantAgreement`.

    Merge rule: `total` and `count` are sums; replicas merge by addition.

    Args:
        from_logits: whether the outputs are logits; matters with one output only.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.
    """

    direction: ClassVar[str] = "up"

    def __init__(
        self,
        from_logits: bool = True,
        name: str = "top1_agreement",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits=from_logits, name=name, dtype=dtype)

    def image_values(self, y_true: Any, y_pred: Any) -> Any:
        """1 where the answers agree, else 0."""
        agree = ops.equal(
            top1(y_true, self.from_logits), top1(y_pred, self.from_logits)
        )
        broken = ops.any(ops.isnan(y_pred), axis=-1)
        return ops.logical_and(agree, ops.logical_not(broken))


def top1(outputs: Any, from_logits: bool) -> Any:
    """Class index of outputs (..., classes); 0 or 1 with one output."""
    if outputs.shape[-1] == 1:
        return ops.cast(outputs[..., 0] > (0.0 if from_logits else 0.5), "int32")
    return ops.cast(ops.argmax(outputs, axis=-1), "int32")
