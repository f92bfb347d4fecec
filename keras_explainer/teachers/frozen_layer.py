"""Runs a frozen function on tensors with no effect on the layers that it calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np


class FrozenLayer(keras.layers.Layer):
    """Calls `function` with variables that can be read but not written.

    It holds the teacher's layers through a closure, so nothing of them is tracked.
    Within it:

    * `training` is False for every layer, whatever the caller's is;
    * the teacher computes in its own precision, also inside a mixed-precision model;
    * updates of variables and activity losses are dropped (`keras.StatelessScope`),
      so a layer that counts its calls, or regularises its output, stays as it is;
    * symbolic inputs are traced, so no node is added to the teacher's layers.

    Args:
        function: Maps a tensor to a tensor or a dict of tensors.
        variables: All Keras variables that the function reads.
    """

    def __init__(
        self,
        function: Callable[[Any], Any],
        variables: Callable[[], Sequence[Any]],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype="float32", autocast=False, trainable=False)
        self._function = function
        self._read = variables
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        with keras.StatelessScope(state_mapping=[(v, v.value) for v in self._read()]):
            return self._function(inputs)


class _TrainingEar(keras.layers.Layer):
    """Hears which `training` value the layers around it would get."""

    def __init__(self) -> None:
        super().__init__(name="training_ear", dtype="float32", trainable=False)
        self.heard: bool | None = None
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self.heard = training
        return inputs


def call_frozen(layer: FrozenLayer, inputs: Any) -> Any:
    """Calls `layer` with `training=False`, and no longer lasting than that.

    Keras hands an explicit `training` on to the layers that are called after it
    within the same outer call. Without the reset a Dropout after the teacher, in an
    explainer that trains, would be off.
    """
    ear = _TrainingEar()
    nothing = keras.ops.convert_to_tensor(np.zeros((), "float32"))
    ear(nothing)
    before = ear.heard
    try:
        return layer(inputs, training=False)
    finally:
        ear(nothing, training=before)


def run_frozen(
    function: Callable[[Any], Any], variables: Sequence[Any], inputs: Any
) -> Any:
    """Calls `function` once, as `FrozenLayer` does: with no effect on its layers."""
    return call_frozen(FrozenLayer(function, lambda: variables), inputs)
