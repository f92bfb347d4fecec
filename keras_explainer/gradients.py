"""Gradients with respect to inputs, the same call on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def input_gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """`d function(inputs) / d inputs`.

    Args:
        function: from a tensor of the backend to a scalar tensor, in Keras ops.
        inputs: an array or tensor, `(N, ...)` float.

    Returns:
        A tensor of the shape of `inputs`.
    """
    inputs = ops.convert_to_tensor(inputs)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(inputs)
            value = function(inputs)
        return tape.gradient(value, inputs)
    if backend == "jax":
        import jax

        return jax.grad(function)(inputs)
    if backend == "torch":
        import torch

        # Also inside `predict`, which turns gradients off.
        with torch.enable_grad():
            inputs = inputs.detach().requires_grad_(True)
            return torch.autograd.grad(function(inputs), inputs)[0]
    raise NotImplementedError(
        f"Gradients need the tensorflow, jax or torch backend, not {backend}."
    )
