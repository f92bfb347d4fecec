"""Weighted mean over images of one value per image."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_explainer.metrics.streaming_metric import StreamingMetric, ratio


class ImageMean(StreamingMetric):
    """Base of metrics that average one figure over all images by global sums.

    Subclasses give `image_values`. The result is NaN before the first image.

    Merge rule: `total` and `count` are sums; replicas merge by addition.

    Args:
        from_logits: the values are logits, before softmax or sigmoid; `False` for
            probabilities.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.
    """

    def __init__(
        self,
        from_logits: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = bool(from_logits)
        self.total = self.add_sum("total")
        self.count = self.add_sum("count")

    def image_values(self, y_true: Any, y_pred: Any) -> Any:
        """Values of shape (n, ...); further axes are averaged within the image."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: (n, ..., classes) teacher's outputs.
            y_pred: outputs from the reconstruction, of the same shape.
            sample_weight: (n,) weight of each image.

        Raises:
            DataError: the shapes do not fit.
        """
        y_true, y_pred = self.as_pair(y_true, y_pred)
        self.as_outputs(y_true)
        weights = self.image_weights(sample_weight, y_true)
        values = self.as_state(self.image_values(y_true, y_pred))
        if len(values.shape) > 1:
            values = ops.mean(values, axis=tuple(range(1, len(values.shape))))
        self.total.assign(self.total + ops.sum(weights * values))
        self.count.assign(self.count + ops.sum(weights))

    def result(self) -> Any:
        """Scalar mean; NaN before the first image."""
        return ratio(self.total, self.count)

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "from_logits": self.from_logits}
