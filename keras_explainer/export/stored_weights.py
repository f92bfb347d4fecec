"""`StoredWeights`: which variables an export has, in which precision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_explainer.errors import ExportError
from keras_explainer.export.precision import Precision


class StoredWeights:
    """Half-precision copies of kernels, read instead of them while a graph is traced.

    Kernels are nearly all of the weights; vectors (biases, scales and statistics of
    normalisations) stay as they are, since rounding a variance costs more than it
    saves. The graph computes in float32 as before.

    Args:
        variables: Keras variables that may be kept in half precision.
        precision: Of the export.

    Raises:
        ExportError: A weight that float16 cannot hold.
    """

    def __init__(self, variables: Sequence[Any], precision: Precision) -> None:
        self._halves: dict[int, Any] = {}
        self._rounded: list[tuple[Any, Any]] = []
        if precision.name == "float32":
            return
        for variable in variables:
            if len(variable.shape) < 2 or variable.dtype != "float32":
                continue
            half = tf.cast(variable.value, precision.name)
            if not np.isfinite(np.asarray(tf.cast(half, "float32"))).all():
                raise ExportError(
                    f"{variable.path} has weights that {precision.name} cannot hold. "
                    "Export with precision='bfloat16' or 'float32'."
                )
            self._rounded.append((variable, half))
            self._halves[id(variable)] = tf.Variable(
                half, trainable=False, name=variable.name
            )

    def scope(self) -> AbstractContextManager[Any]:
        """In it the variables have the values that are stored."""
        return _Stored(self._halves) if self._halves else nullcontext()

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


class _Stored(keras.StatelessScope):
    """Reads halves when they are asked for: a graph has those alone that it uses."""

    def __init__(self, halves: dict[int, Any]) -> None:
        super().__init__()
        self._halves = halves

    def get_current_value(self, variable: Any) -> Any:
        half = self._halves.get(id(variable))
        if half is None:
            return super().get_current_value(variable)
        return tf.cast(half, "float32")
