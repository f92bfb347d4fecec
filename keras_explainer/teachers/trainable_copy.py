"""A free copy of a teacher's layers between its tap and its targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.graph_cut import GraphCut
from keras_explainer.teachers.graph_step import Step, call_step

Kinds = Mapping[type[keras.Layer], type[keras.Layer]]


def copy_between(
    cut: GraphCut,
    tap_shape: tuple[int, ...],
    *,
    trainable: bool,
    name: str,
    kinds: Kinds | None = None,
) -> keras.Model:
    """Copies the layers from the tap to the targets, with their weights.

    Each layer is made anew by `from_config` under a name of its kind and position
    (`conv2d_003`), the same in every process; a layer that is used twice there is
    one layer in the copy too. The teacher's layers are not called.

    Args:
        cut: Tap and targets of the teacher's graph.
        tap_shape: (H, W, C).
        trainable: Whether the copy's weights can be trained.
        name: Name of the model.
        kinds: Layers of one class are made as another, which takes the same
            configuration and weights.

    Returns:
        A functional model from the tap (n, H, W, C), float32, to a dict of the
        targets by path, float32, equal to the teacher's at the start (with
        `training=False`).

    Raises:
        TeacherError: A layer that cannot be made anew from its configuration.
    """
    graph = cut.graph
    tap = keras.Input(tap_shape, name="tap", dtype="float32")
    dtype = graph.values[cut.tap].dtype
    values: dict[int, Any] = {cut.tap: _cast(tap, dtype, "cast_tap")}
    copies: dict[int, Any] = {}
    for step in graph.needed([cut.tap], cut.targets):
        if step.operation is None:
            dtype = graph.values[step.outputs[0]].dtype
            results = [_cast(values[step.inputs[0]], dtype, f"cast_{step.index:03d}")]
        else:
            if id(step.operation) not in copies:
                copies[id(step.operation)] = _fresh(step, len(copies), kinds or {})
            copy = copies[id(step.operation)]
            results = keras.tree.flatten(_call(step, values, copy))
        values.update(zip(step.outputs, results, strict=True))
    outputs = {
        path: _cast(values[target], "float32", f"cast_target_{number}")
        for number, (target, path) in enumerate(
            zip(cut.targets, cut.target_names, strict=True)
        )
    }
    model = keras.Model(tap, outputs, name=name)
    for step in graph.steps:
        copy = copies.get(id(step.operation))
        if isinstance(copy, keras.Layer):
            copy.set_weights(step.operation.get_weights())
    model.trainable = trainable
    return model


def _fresh(step: Step, position: int, kinds: Kinds) -> Any:
    operation = step.operation
    kind = type(operation)
    try:
        config = operation.get_config()
        if isinstance(operation, keras.Layer):
            config = _trainable(config)
        config["name"] = f"{kind.__name__.lower()}_{position:03d}"
        return kinds.get(kind, kind).from_config(config)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise TeacherError(
            f"Layer '{step.path}' ({kind.__name__}) cannot be copied from its "
            f"configuration: {reason}. Give it get_config/from_config, or use a "
            "decoder that does not copy the teacher's layers."
        ) from error


def _call(step: Step, values: dict[int, Any], copy: Any) -> Any:
    try:
        return call_step(step, values, copy, training=None)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise TeacherError(
            f"The copy of layer '{step.path}' ({type(copy).__name__}) does not take "
            f"what the teacher's takes: {reason}. Check its get_config."
        ) from error


def _cast(tensor: Any, dtype: str, name: str) -> Any:
    if keras.backend.standardize_dtype(tensor.dtype) == dtype:
        return tensor
    return keras.layers.Activation("linear", dtype=dtype, name=name)(tensor)


def _trainable(config: Any) -> Any:
    """A layer's configuration, and those within it, with nothing frozen.

    A layer that is made frozen keeps its weights among the frozen ones.
    """
    if isinstance(config, dict):
        return {k: k == "trainable" or _trainable(v) for k, v in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_trainable(part) for part in config)
    return config
