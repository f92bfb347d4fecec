"""The tap and the targets of a teacher when the user names none.

Chosen by stride, position and kind of layer, never by name, so that any CNN has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.classifier_head import activation_of
from keras_explainer.teachers.graph_cut import (
    common_cuts,
    has_spatial_map,
    valid_taps,
)
from keras_explainer.teachers.graph_step import Step
from keras_explainer.teachers.model_graph import ModelGraph
from keras_explainer.teachers.receptive_fields import ReceptiveFields

STRIDE = 16
LEAST_SIDE = 7

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)
_ATTENTION = (
    keras.layers.MultiHeadAttention,
    keras.layers.GroupQueryAttention,
    keras.layers.Attention,
    keras.layers.AdditiveAttention,
)
_ACTIVATIONS = (
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
_NORMALISATIONS = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
)


def default_targets(
    graph: ModelGraph, output: int, tap: int | None = None
) -> list[int]:
    """The targets of a model for which the user names none.

    The hidden fully connected layers where there are some (VGG's fc1 and fc2), else
    the last feature map with more than one cell that cuts the input from the answer;
    above a tap that is this map, the first layer without a map (the pooled vector).

    Args:
        graph: The flattened model.
        output: Value index of the model's answer.
        tap: Value index of the tap, if the user names it.

    Raises:
        TeacherError: There is no such layer.
    """
    cuts = [*common_cuts(graph, [output]), output]
    if tap is not None and tap in cuts:
        cuts = cuts[cuts.index(tap) + 1 :]
    hidden = _hidden_dense(graph, cuts)
    if hidden:
        return hidden
    maps = [value for value in cuts if has_spatial_map(graph, value)]
    if not maps and tap is not None and cuts:
        return [cuts[0]]
    if not maps:
        raise TeacherError(
            f"'{graph.model.name}' has no feature map (batch, height, width, "
            f"channels) that cuts its input from its answer. {_advice(graph)}"
        )
    return [maps[-1]]


def default_tap(
    graph: ModelGraph, targets: Sequence[int], fields: ReceptiveFields
) -> int:
    """The tap of a model for which the user names none.

    The last cut at stride 16 with a side of at least 7 cells; else the last cut with
    such a side; else the last at stride 16; else the last one. Among the cuts of one
    map size a merge of branches counts more than what the next block does at the same
    size (its widened inner features), so the last merge is taken, or the activation
    that follows it directly; without merges the last activation.

    Args:
        graph: The flattened model.
        targets: Value indices of the targets.
        fields: Strides of all values.

    Raises:
        TeacherError: No layer before the targets is a cut with a spatial map.
    """
    convolved = _convolved(graph)
    taps = [value for value in valid_taps(graph, targets) if value in convolved]
    if not taps:
        raise TeacherError(
            f"'{graph.model.name}' has no tap: no layer before the targets "
            f"{[graph.name_of(target) for target in targets]} cuts them from the "
            f"input with a feature map of convolutions. {_advice(graph)}"
        )

    def at_stride(value: int) -> bool:
        return any(round(stride) == STRIDE for stride in fields.stride(value))

    def large(value: int) -> bool:
        return min(fields.shapes[value][1:3]) >= LEAST_SIDE

    for accept in (
        lambda value: at_stride(value) and large(value),
        large,
        at_stride,
        lambda value: True,
    ):
        chosen = [value for value in taps if accept(value)]
        if chosen:
            # Padding before the next block has a map of another size: not counted.
            ends = [value for value in chosen if _ends_block(_step(graph, value))]
            size = fields.shapes[(ends or chosen)[-1]][1:3]
            same = [value for value in chosen if fields.shapes[value][1:3] == size]
            return _last_of_block(graph, same)
    return taps[-1]


def tap_at(
    graph: ModelGraph,
    targets: Sequence[int],
    fields: ReceptiveFields,
    stride: int,
    position: int = -1,
) -> int:
    """The tap at a stride, by its position among the ends of blocks there.

    Ends of blocks are the merges of branches (each with the activation that follows it
    directly); where nothing merges, the activations. Automatic layer names differ from
    one build to the next, positions do not.

    Args:
        graph, targets, fields: as for `default_tap`.
        stride: pixels between cells, in rows or columns.
        position: index into these ends in graph order; -1 is the last.

    Raises:
        TeacherError: no cut at that stride, or not so many; what there is is listed.
    """
    convolved = _convolved(graph)
    taps = [value for value in valid_taps(graph, targets) if value in convolved]
    by_stride: dict[int, list[int]] = {}
    for value in taps:
        for step in {round(axis) for axis in fields.stride(value)}:
            by_stride.setdefault(step, []).append(value)
    if stride not in by_stride:
        raise TeacherError(
            f"'{graph.model.name}' has no cut at stride {stride}; it has cuts at "
            f"strides {', '.join(map(str, sorted(by_stride))) or 'none'}."
        )
    ends = _block_ends(graph, by_stride[stride])
    if not -len(ends) <= position < len(ends):
        names = ", ".join(graph.name_of(value) for value in ends[-5:])
        raise TeacherError(
            f"'{graph.model.name}' has {len(ends)} cuts that end a block at stride "
            f"{stride} (the last: {names}); there is no position {position}."
        )
    return ends[position]


def _convolved(graph: ModelGraph) -> set[int]:
    """The values that a convolution has made, or one before them."""
    found: set[int] = set()
    for step in graph.steps:
        if _holds(step, _CONVOLUTIONS) or found.intersection(step.inputs):
            found.update(step.outputs)
    return found


def _ends_block(step: Step) -> bool:
    return len(step.inputs) > 1 or _is_active(step)


def _last_of_block(graph: ModelGraph, cuts: Sequence[int]) -> int:
    return _block_ends(graph, cuts)[-1]


def _block_ends(graph: ModelGraph, cuts: Sequence[int]) -> list[int]:
    """The merges among cuts, each with the activation after it; else activations."""
    merges = [value for value in cuts if len(_step(graph, value).inputs) > 1]
    if not merges:
        return [v for v in cuts if _is_active(_step(graph, v))] or [cuts[-1]]
    return [_with_activation(graph, cuts, merge) for merge in merges]


def _with_activation(graph: ModelGraph, cuts: Sequence[int], merge: int) -> int:
    best = merge
    for value in cuts[cuts.index(merge) + 1 :]:
        operation = _step(graph, value).operation
        if is_activation(operation):
            best = value
        elif not isinstance(operation, _NORMALISATIONS):
            break
    return best


def _hidden_dense(graph: ModelGraph, cuts: Sequence[int]) -> list[int]:
    """Fully connected layers with an activation that another one follows."""
    vectors = [value for value in cuts if len(graph.values[value].shape) == 2]
    steps = [(value, _step(graph, value)) for value in vectors]
    dense = [i for i, (_, s) in enumerate(steps) if _is_dense(s)]
    hidden = []
    for i, following in pairwise(dense):
        if activation_of(steps[i][1].operation) != "linear":
            hidden.append(steps[i][0])
            continue
        # A linear Dense whose activation is a layer of its own before the next one.
        active = [v for v, s in steps[i + 1 : following] if is_activation(s.operation)]
        hidden.extend(active[-1:])
    return hidden


def _is_dense(step: Step) -> bool:
    return isinstance(step.operation, keras.layers.Dense)


def is_activation(operation: Any) -> bool:
    """Whether an operation is a non-linear function of each value and nothing else."""
    if isinstance(operation, keras.layers.Activation):
        return activation_of(operation) != "linear"
    if isinstance(operation, _ACTIVATIONS):
        return True
    name = type(operation).__name__
    return not isinstance(operation, keras.Layer) and name in (
        "Relu",
        "Relu6",
        "Gelu",
        "Silu",
        "Elu",
        "LeakyRelu",
        "HardSilu",
        "Sigmoid",
        "Tanh",
    )


def _is_active(step: Step) -> bool:
    """Whether a step ends in a non-linear activation, built in or not."""
    operation = step.operation
    return is_activation(operation) or (
        isinstance(operation, keras.Layer)
        and activation_of(operation) not in (None, "linear")
    )


def _step(graph: ModelGraph, value: int) -> Step:
    index = graph.values[value].step
    if index is None:
        raise TeacherError("The model's input is no tap.")
    return graph.steps[index]


def _holds(step: Step, kinds: tuple[type, ...]) -> bool:
    """Whether a step's layer is of these kinds, or holds one that is."""
    return isinstance(step.operation, keras.Layer) and any(
        isinstance(part, kinds) for part in step.operation._flatten_layers()
    )


def _has(graph: ModelGraph, kinds: tuple[type, ...]) -> bool:
    return any(_holds(step, kinds) for step in graph.steps)


def _advice(graph: ModelGraph) -> str:
    if _has(graph, _ATTENTION):
        return (
            "It has attention layers: a transformer keeps no feature map that a part "
            "could be read from; choose a convolutional teacher."
        )
    if not _has(graph, _CONVOLUTIONS):
        return "It has no convolution; choose a convolutional teacher."
    return "Name the tap and the targets, or choose another teacher."
