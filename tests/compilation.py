"""Less to compile: tests build many small models, and run each once or twice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pytest


@contextmanager
def zero_initializers() -> Iterator[None]:
    """Within it layers start from zeros: on JAX a random start compiles every shape."""
    kind = keras.initializers.VarianceScaling
    random = kind.__call__
    kind.__call__ = _of(lambda kind, shape: 0.0)
    try:
        yield
    finally:
        kind.__call__ = random


@contextmanager
def few_optimizations(few: bool = True) -> Iterator[None]:
    """Within it programs take less to compile, and then run a little slower.

    JAX compiles in half the time: XLA's own passes are all run, most of LLVM's are not.
    TensorFlow leaves graphs as they are traced, which spares a tenth.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        name = "jax_disable_most_optimizations"
        before = jax.config.values[name]
        jax.config.update(name, few)
        try:
            yield
        finally:
            jax.config.update(name, before)
    elif backend == "tensorflow":
        import tensorflow as tf

        name = "disable_meta_optimizer"
        options = tf.config.optimizer
        before = options.get_experimental_options().get(name, False)
        options.set_experimental_options({name: few})
        try:
            yield
        finally:
            options.set_experimental_options({name: before})
    else:
        yield


@contextmanager
def numpy_initializers() -> Iterator[None]:
    """Within it NumPy draws what layers start from, where the backend is JAX.

    Keras' own numbers are compiled anew for each shape, a second each.
    """
    if keras.backend.backend() != "jax":
        yield
        return
    kinds = keras.initializers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kinds.Zeros, "__call__", _of(lambda kind, shape: 0.0))
        patch.setattr(kinds.Ones, "__call__", _of(lambda kind, shape: 1.0))
        patch.setattr(kinds.VarianceScaling, "__call__", _of(_scaled))
        yield


@contextmanager
def not_compiled() -> Iterator[None]:
    """Within it explainers learn eagerly, which is faster for a few steps.

    Not on JAX, which then compiles each operation by itself.
    """
    from keras_explainer.explainer import Explainer

    if keras.backend.backend() == "jax":
        yield
        return
    compile_ = Explainer.compile

    def eagerly(self: Explainer, *arguments: Any, **settings: Any) -> None:
        compile_(self, *arguments, **settings, run_eagerly=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Explainer, "compile", eagerly)
        yield


def _of(values: Any) -> Any:
    """An initializer's call whose values, or value, NumPy gives."""

    def call(self: Any, shape: Any, dtype: Any = None) -> Any:
        filled = np.full(tuple(shape), values(self, tuple(shape)))
        dtype = keras.backend.standardize_dtype(dtype)
        return keras.ops.convert_to_tensor(filled, dtype)

    return call


def _scaled(kind: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform values of the variance that the initializer asks for."""
    window = math.prod(shape[:-2])
    inputs, outputs = window * shape[max(0, len(shape) - 2)], window * shape[-1]
    fans = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}
    limit = math.sqrt(3 * kind.scale / max(1.0, fans[kind.mode]))
    seed = kind.seed if isinstance(kind.seed, int) else int(kind.seed.next()[-1])
    return np.random.default_rng(seed).uniform(-limit, limit, shape)
