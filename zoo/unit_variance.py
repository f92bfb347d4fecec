"""Start of a network without normalisation: its layers answer in the size of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_explainer.teachers import Teacher
from keras_explainer.teachers.graph_step import Step, call_step

_NORMS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
)
MEAN_SQUARES = {"relu": 0.5, "linear": 1.0}
"""Of what a layer answers to normal inputs of variance one before its activation."""


def start_unit_variance(teacher: Teacher, images: np.ndarray) -> None:
    """Scales the kernels of fresh weights so that no layer's answers grow or vanish.

    One layer after the other, by what it answers to these images (LSUV, Mishkin and
    Matas 2016, arXiv 1511.06422, without its orthogonal matrices). As Keras builds
    them, a narrow AlexNet's first losses are 14, and it learns for many epochs before
    it tells classes apart. Networks that normalise stay as they are: they do the same
    in each step.

    Args:
        teacher: a network with random weights; its kernels are changed.
        images: `(n, H, W, C)`, RGB 0..255, that it is to learn from.
    """
    layers = teacher.model._flatten_layers(include_self=False)
    if any(isinstance(layer, _NORMS) for layer in layers):
        return
    graph = teacher.graph
    pixels = keras.ops.convert_to_tensor(teacher.preprocess(images))
    graph.run({graph.input: pixels}, graph.outputs, _scaled)


def _scaled(step: Step, values: Mapping[int, Any]) -> Any:
    """Calls a step; a layer whose size is known is scaled to it first."""
    answer, layer = call_step(step, values), step.operation
    kernel = getattr(layer, "kernel", None)
    wanted = MEAN_SQUARES.get(getattr(getattr(layer, "activation", 0), "__name__", ""))
    if kernel is None or wanted is None:
        return answer
    found = float(keras.ops.mean(keras.ops.square(keras.ops.cast(answer, "float32"))))
    if not found > 0:
        return answer
    factor = (wanted / found) ** 0.5
    kernel.assign(kernel * factor)
    if layer.use_bias:
        layer.bias.assign(layer.bias * factor)
    return answer * factor
