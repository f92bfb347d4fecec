"""`StoredWeights`: which variables an export has, in which precision."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_explainer.errors import ExportError
from keras_explainer.export.precision import Precision


class StoredWeights:
    """What is read instead of variables while a graph is traced.

    Variables of the same values are stored once: a decoder that is a copy of the
    teacher's layers reads the teacher's own.

    In half precision kernels have copies. They are nearly all of the weights; vectors
    (biases, scales and statistics of normalisations) stay as they are, since rounding
    a variance costs more than it saves. The graph computes in float32 as before.

    Args:
        variables: Keras variables that may be stored; the first of those that are the
            same is.
        precision: Of the export.

    Raises:
        ExportError: A weight that float16 cannot hold.
    """

    def __init__(self, variables: Sequence[Any], precision: Precision) -> None:
        self._read: dict[int, Any] = {}
        self._rounded: list[tuple[Any, Any]] = []
        stored: dict[tuple[Any, ...], Any] = {}
        for variable in variables:
            key = _content(variable)
            if key not in stored:
                stored[key] = _half(variable, precision)
            if stored[key] is not variable:
                self._read[id(variable)] = stored[key]
            if isinstance(stored[key], tf.Variable):
                self._rounded.append((variable, stored[key]))

    def scope(self) -> AbstractContextManager[Any]:
        """In it the variables have the values that are stored."""
        return _Stored(self._read) if self._read else nullcontext()

    @contextmanager
    def assigned(self) -> Iterator[None]:
        """Within it the networks themselves have the values that are stored."""
        before = [np.asarray(variable.value) for variable, _ in self._rounded]
        try:
            for variable, half in self._rounded:
                variable.assign(tf.cast(half, "float32"))
            yield
        finally:
            for (variable, _), value in zip(self._rounded, before, strict=True):
                variable.assign(value)


def _content(variable: Any) -> tuple[Any, ...]:
    """The same for variables that are the same."""
    value = np.ascontiguousarray(variable.value)
    digest = hashlib.sha256(value.reshape(-1).view("uint8").data).hexdigest()
    return value.shape, value.dtype.str, digest


def _half(variable: Any, precision: Precision) -> Any:
    """A TensorFlow variable of half the size, or the Keras variable itself."""
    if (
        precision.name == "float32"
        or len(variable.shape) < 2
        or variable.dtype != "float32"
    ):
        return variable
    half = tf.cast(variable.value, precision.name)
    if not np.isfinite(np.asarray(tf.cast(half, "float32"))).all():
        raise ExportError(
            f"{variable.path} has weights that {precision.name} cannot hold. "
            "Export with precision='bfloat16' or 'float32'."
        )
    return tf.Variable(half, trainable=False, name=variable.name)


class _Stored(keras.StatelessScope):
    """Reads what is stored when it is asked for: a graph has that alone."""

    def __init__(self, stored: dict[int, Any]) -> None:
        super().__init__()
        self._stored = stored

    def get_current_value(self, variable: Any) -> Any:
        stored = self._stored.get(id(variable), variable)
        if isinstance(stored, tf.Variable):
            return tf.cast(stored, "float32")
        if stored is not variable:
            return stored.value
        return super().get_current_value(variable)
