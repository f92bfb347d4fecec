"""A dense layer with a large kernel, as TensorFlow computes it fastest on a CPU."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.registration import registered

PIECES = 4
"""Pieces of the sum over inputs; 2 to 16 are about as fast."""
LARGE = 2**22
"""Values of a kernel from which on it is split."""


@registered
class SplitDense(keras.layers.Dense):
    """As `keras.layers.Dense`; a large kernel is multiplied in pieces.

    Of a batch of few rows, and of its gradient, TensorFlow's plain product on a CPU
    computes half as many values a second as its batched one. A kernel of `LARGE` values
    or more is therefore taken as `PIECES` of it, whose products are added up: the same
    but for rounding. Everywhere else, and on JAX and PyTorch, where it would be slower,
    it is `Dense`.

    Input `(N, C)` where it is split, output `(N, units)`.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not self._splits(inputs):
            return super().call(inputs, training=training)
        size = inputs.shape[-1] // PIECES
        pieces = ops.transpose(ops.reshape(inputs, (-1, PIECES, size)), (1, 0, 2))
        kernel = ops.reshape(self.kernel, (PIECES, size, self.units))
        outputs = ops.sum(ops.matmul(pieces, kernel), axis=0)
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def _splits(self, inputs: Any) -> bool:
        channels = inputs.shape[-1]
        return (
            keras.backend.backend() == "tensorflow"
            and len(inputs.shape) == 2
            and channels % PIECES == 0
            and channels * self.units >= LARGE
        )
