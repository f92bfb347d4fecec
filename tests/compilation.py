"""Less to compile: tests build many small models, and run each once or twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def zero_initializers() -> Iterator[None]:
    """Within it layers start from zeros: on JAX a random start compiles every shape."""
    kind = keras.initializers.VarianceScaling
    random = kind.__call__
    kind.__call__ = lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
    try:
        yield
    finally:
        kind.__call__ = random


@contextmanager
def few_optimizations() -> Iterator[None]:
    """Within it JAX compiles in half the time what then runs a little slower."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, True)
    try:
        yield
    finally:
        jax.config.update(name, before)
