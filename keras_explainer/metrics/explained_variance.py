"""Explained variance of reconstructed features, by global sums."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics.streaming_metric import StreamingMetric
from keras_explainer.registration import registered


@registered
class ExplainedVariance(StreamingMetric):
    """`1 - sum |x - x_hat|^2 / sum |x - x_bar|^2` over all images and features.

    `x_bar` is each feature's mean over the same images; the sums are global, no mean of
    ratios by batch. 1 is perfect, 0 as good as predicting the mean, below 0 worse.
    NaN where it has no meaning: before the first image, and when the features do not
    vary (one image, or constant up to rounding).

    The sums are taken relative to a shift near the features' mean (the mean of the
    first batch), so that a mean far above the spread does not cancel.

    Merge rule: `count`, `shifted`, `squares` and `residual` are sums relative to
    `shift`; replicas merge by addition. `shift` must be the same on all of them:
    `aggregation="mean"`, synchronised when it is written, once. States of separate runs
    merge only after moving their sums to one shift.

    Args:
        feature_shape: shape of one image's features; taken from the first batch when
            `None`. Give it where variables must exist before the first step.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.

    Raises:
        ConfigError: `feature_shape` has an unknown or negative size.
    """

    direction: ClassVar[str] = "up"

    def __init__(
        self,
        feature_shape: tuple[int, ...] | None = None,
        name: str = "explained_variance",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.feature_shape = None if feature_shape is None else tuple(feature_shape)
        self.count: Any = None
        if self.feature_shape is not None:
            self._build(self.feature_shape)

    def _build(self, shape: tuple[int | None, ...]) -> None:
        sizes = tuple(size for size in shape if isinstance(size, int) and size >= 0)
        if len(sizes) != len(shape):
            raise ConfigError(
                f"{type(self).__name__} keeps sums for every feature and must know "
                f"their shape; got {shape}. Give feature_shape, all sizes known."
            )
        self._shape = sizes
        self.count = self.add_sum("count")
        self.shifted = self.add_sum("shifted", sizes)
        self.squares = self.add_sum("squares", sizes)
        self.residual = self.add_sum("residual", sizes)
        self.started = self._synchronised("started", ())
        self.shift = self._synchronised("shift", sizes)

    def _synchronised(self, name: str, shape: tuple[int, ...]) -> Any:
        """A variable equal on all replicas at any time, unlike sums."""
        return keras.Variable(
            initializer="zeros",
            shape=shape,
            dtype=self.state_dtype,
            trainable=False,
            aggregation="mean",
            name=name,
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Adds a batch.

        Args:
            y_true: (n, ...) features x.
            y_pred: reconstructions, of the same shape.
            sample_weight: (n,) weight of each image.

        Raises:
            DataError: the shapes do not fit each other, or earlier batches.
        """
        y_true, y_pred = self.as_pair(y_true, y_pred)
        shape = tuple(y_true.shape)[1:]
        if self.count is None:
            self._build(shape)
        if len(shape) != len(self._shape) or any(
            size not in (None, known)
            for size, known in zip(shape, self._shape, strict=True)
        ):
            raise DataError(
                f"{type(self).__name__} keeps sums of features of shape {self._shape}; "
                f"got a batch of shape {tuple(y_true.shape)}."
            )
        weights = self.image_weights(sample_weight, y_true)
        self.count.assign(self.count + ops.sum(weights))
        weights = ops.reshape(weights, (-1, *(1 for _ in self._shape)))
        # A replica's share of the last batch may be empty.
        images = ops.cast(ops.maximum(ops.shape(y_true)[0], 1), self.state_dtype)
        shift = ops.convert_to_tensor(self.shift)
        first = ops.sum(y_true, axis=0) / images
        self.shift.assign(ops.where(self.started > 0, shift, first))
        self.started.assign(ops.ones((), dtype=self.state_dtype))
        # Read again: replicas agree on the shift by writing it.
        centred = y_true - ops.convert_to_tensor(self.shift)
        error = y_true - y_pred
        self._add(self.shifted, weights * centred)
        self._add(self.squares, weights * ops.square(centred))
        self._add(self.residual, weights * ops.square(error))

    @staticmethod
    def _add(variable: Any, values: Any) -> None:
        variable.assign(variable + ops.sum(values, axis=0))

    def result(self) -> Any:
        """Scalar, at most 1; NaN where it has no meaning."""
        if self.count is None:
            return ops.convert_to_tensor(float("nan"), dtype=self.state_dtype)
        count = ops.maximum(self.count, float(np.finfo(self.state_dtype).tiny))
        total = self.squares - ops.square(self.shifted) / count
        # A feature's spread below this is rounding of its mean, no variance.
        rounding = float(np.finfo(self.state_dtype).eps) * self.shift
        total = ops.where(total > self.count * ops.square(rounding), total, 0.0)
        total = ops.sum(total)
        varies = total > 0
        share = ops.sum(self.residual) / ops.where(varies, total, 1.0)
        return ops.where(varies, 1.0 - share, float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {**super().get_config(), "feature_shape": self.feature_shape}
