"""What the streaming Keras metrics of this package share."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from keras_explainer.errors import DataError


class StreamingMetric(keras.metrics.Metric):
    """Base of the metrics: state in float32 or better, and which way is better.

    State and computation are float32 whatever the dtype policy (float64 if `dtype` is
    "float64"), so that half-precision features are summed without loss.

    Merge rule: every variable made by `add_sum` is a plain sum over images, so the
    states of replicas or workers merge by addition (`aggregation="sum"`).

    Args:
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`.
    """

    direction: ClassVar[str] = "up"
    """"up" when higher is better, else "down"."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.state_dtype = "float64" if self.dtype == "float64" else "float32"
        # Keras' EarlyStopping and ModelCheckpoint read this in mode "auto".
        self._direction = self.direction

    def add_sum(self, name: str, shape: tuple[int, ...] = ()) -> Any:
        """A variable that starts at zero and holds a sum over images."""
        return self.add_variable(
            shape=shape,
            initializer="zeros",
            dtype=self.state_dtype,
            aggregation="sum",
            name=name,
        )

    def as_state(self, values: Any) -> Any:
        """`values` as a tensor of the state's dtype."""
        return ops.cast(ops.convert_to_tensor(values), self.state_dtype)

    def as_pair(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Teacher's and reconstructed values as tensors of the same shape.

        Raises:
            DataError: the shapes differ (no broadcasting takes place).
        """
        y_true, y_pred = self.as_state(y_true), self.as_state(y_pred)
        expected, given = tuple(y_true.shape), tuple(y_pred.shape)
        if len(expected) != len(given) or any(
            a is not None and b is not None and a != b
            for a, b in zip(expected, given, strict=True)
        ):
            raise DataError(
                f"{type(self).__name__} compares arrays of one shape; y_true has "
                f"{expected}, y_pred {given}."
            )
        if not expected:
            raise DataError(
                f"{type(self).__name__} needs a leading axis of images; got a scalar."
            )
        return y_true, y_pred

    def image_weights(self, sample_weight: Any, values: Any) -> Any:
        """(n,) weight of each image of `values`; ones without `sample_weight`.

        Raises:
            DataError: not one weight for each image.
        """
        if sample_weight is None:
            return ops.ones_like(ops.reshape(values, (ops.shape(values)[0], -1))[:, 0])
        weights = self.as_state(sample_weight)
        shape = tuple(weights.shape)
        images = values.shape[0]
        if (
            not shape
            or any(size != 1 for size in shape[1:])
            or (None not in (images, shape[0]) and shape[0] != images)
        ):
            raise DataError(
                f"{type(self).__name__} takes one weight for each image, shape "
                f"({images},); got sample_weight of shape {shape}."
            )
        return ops.reshape(weights, (-1,))

    def as_outputs(self, values: Any) -> Any:
        """Class outputs (n, ..., classes) as a tensor of the state's dtype.

        Raises:
            DataError: no class axis, or one of unknown length.
        """
        values = self.as_state(values)
        shape = tuple(values.shape)
        if len(shape) < 2 or not shape[-1]:
            raise DataError(
                f"{type(self).__name__} takes outputs of shape (images, classes), also "
                f"for one class; got {shape}."
            )
        return values


def ratio(total: Any, count: Any) -> Any:
    """`total / count`, NaN where nothing was counted."""
    total, count = ops.convert_to_tensor(total), ops.convert_to_tensor(count)
    seen = count > 0
    return ops.where(seen, total / ops.where(seen, count, 1), float("nan"))
