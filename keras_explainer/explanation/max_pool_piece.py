"""`MaxPoolPiece`: a max-pool between two points."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

LOWEST = -1e30


class MaxPoolPiece:
    """A max-pool, and the linear map that joins two of its points.

    On the straight way from one input to another a window's maximum moves from the
    largest cell of the first to that of the second. If no third is larger on the way,
    the one leads for a share `t` of it, until both are equal, and the other for the
    rest: integrated gradients give them `t` and `1 - t` of their own changes. These
    always sum up to the maximum's change, and so they are the map where a third is.

    Args:
        layer: with the channels last.
    """

    def __init__(self, layer: keras.layers.MaxPooling2D) -> None:
        self.call = layer.call
        self._layer = layer

    def secant(self, low: Any, high: Any) -> Any:
        """Weight of each cell of a window, `(N, H', W', C, cells)`, sum 1.

        Args:
            low, high: `(N, H, W, C)`.
        """
        low, high = self._windows(low, LOWEST), self._windows(high, LOWEST)
        cells = low.shape[-1]
        first = ops.one_hot(ops.argmax(low, axis=-1), cells, dtype=low.dtype)
        last = ops.one_hot(ops.argmax(high, axis=-1), cells, dtype=low.dtype)

        def of(windows: Any, chosen: Any) -> Any:
            return ops.sum(windows * chosen, axis=-1, keepdims=True)

        behind = of(low, last) - of(low, first)
        closing = behind + of(high, first) - of(high, last)
        # Both are at most 0; together 0 where nothing closes: then the cells are equal.
        share = ops.where(
            closing < 0, behind / ops.where(closing < 0, closing, 1.0), 1.0
        )
        share = ops.clip(share, 0.0, 1.0)
        return share * first + (1 - share) * last

    def linear(self, value: Any, secant: Any) -> Any:
        """Each window's cells by their weights, `(N, H', W', C)`."""
        windows = self._windows(value, 0.0)
        return ops.sum(windows * ops.cast(secant, windows.dtype), axis=-1)

    def _windows(self, maps: Any, outside: float) -> Any:
        """The cells of each window, `(N, H', W', C, cells)`."""
        layer = self._layer
        counts = layer.compute_output_shape(tuple(maps.shape))[1:3]
        pads = []
        for length, size, stride, count in zip(
            maps.shape[1:3], layer.pool_size, layer.strides, counts, strict=True
        ):
            missing = max((count - 1) * stride + size - length, 0)
            # Caffe's pools, whose padding is "valid", reach over the end alone.
            before = missing // 2 if layer.padding == "same" else 0
            pads.append((before, missing - before))
        if any(map(any, pads)):
            maps = ops.pad(maps, ((0, 0), *pads, (0, 0)), constant_values=outside)
        (rows, columns), (down, right) = counts, layer.strides
        return ops.stack(
            [
                maps[
                    :,
                    row : row + (rows - 1) * down + 1 : down,
                    column : column + (columns - 1) * right + 1 : right,
                ]
                for row in range(layer.pool_size[0])
                for column in range(layer.pool_size[1])
            ],
            axis=-1,
        )
