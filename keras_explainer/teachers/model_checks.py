"""Which Keras models can be a teacher, and what to do about the others."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.errors import TeacherError


def has_own_graph(operation: Any) -> bool:
    """Whether this is a built functional or Sequential model that can be flattened.

    A class that overrides `call` is not: its nodes need not be what it computes.
    """
    if isinstance(operation, keras.Sequential):
        return bool(operation.built) and type(operation).call is keras.Sequential.call
    if not isinstance(operation, keras.Function):
        return False
    for base in type(operation).__mro__:
        if "call" in vars(base):
            return base.__module__.startswith("keras.")
    return False


def check_model(model: Any) -> None:
    """Refuses what is no image model with a graph; each message names the fix."""
    if not isinstance(model, keras.Model):
        raise TeacherError(
            f"A teacher is made of a keras.Model, got {type(model).__name__}. Load "
            "a file with Teacher.from_file."
        )
    name = model.name
    if isinstance(model, keras.Sequential) and not has_graph_inputs(model):
        raise TeacherError(
            f"The Sequential model '{name}' has no input shape yet. Begin it with "
            "keras.Input((height, width, channels)), or call "
            "model.build((None, height, width, channels))."
        )
    if not has_own_graph(model):
        raise TeacherError(
            f"'{name}' is a subclassed model ({type(model).__name__}), which has no "
            "graph to cut. Build it as a functional model: x = keras.Input((height, "
            "width, channels)); keras.Model(x, model.call(x)) if its call only calls "
            "layers."
        )
    if len(model.inputs) != 1:
        inputs = [tensor.name for tensor in model.inputs]
        raise TeacherError(
            f"'{name}' has {len(inputs)} inputs {inputs}; a teacher has one, the "
            "image. Wrap the model so that the others are constants."
        )
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4:
        raise TeacherError(
            f"'{name}' takes inputs of shape {shape}; a teacher takes images "
            "(batch, height, width, channels)."
        )


def has_graph_inputs(model: Any) -> bool:
    """Whether a Sequential model knows its inputs."""
    try:
        return bool(model.inputs)
    except (AttributeError, ValueError):
        return False
