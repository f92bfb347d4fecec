"""Max-pooling whose last window may reach over the edge (Caffe)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.registration import registered


@registered
class CeilMaxPooling2D(keras.layers.MaxPooling2D):
    """Max-pooling with `ceil((n - k) / s) + 1` cells a side, as Caffe counts them.

    A window that reaches over the right or lower edge takes the maximum of what is
    there. MatConvNet writes the same as padding after the map, `[0 1 0 1]` say.

    Args:
        pool_size, strides: as for `keras.layers.MaxPooling2D`, at least 1;
            `pool_size` not below `strides`.

    Input `(N, H, W, C)`, output `(N, H', W', C)`.
    """

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, **kwargs: Any
    ) -> None:
        kwargs = {**kwargs, "padding": "valid", "data_format": "channels_last"}
        super().__init__(pool_size=pool_size, strides=strides, **kwargs)

    def call(self, inputs: Any) -> Any:
        after = [
            max((_cells(size, window, step) - 1) * step + window - size, 0)
            for size, window, step in zip(
                inputs.shape[1:3], self.pool_size, self.strides, strict=True
            )
        ]
        if any(after):
            padding = [[0, 0], [0, after[0]], [0, after[1]], [0, 0]]
            inputs = ops.pad(inputs, padding, constant_values=float("-inf"))
        return super().call(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = tuple(input_shape)
        cells = [
            None if size is None else _cells(size, window, step)
            for size, window, step in zip(
                shape[1:3], self.pool_size, self.strides, strict=True
            )
        ]
        return (shape[0], *cells, shape[3])

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(
            self.compute_output_shape(inputs.shape), dtype=self.compute_dtype
        )


def _cells(size: int, window: int, step: int) -> int:
    return max(-(-(size - window) // step), 0) + 1
