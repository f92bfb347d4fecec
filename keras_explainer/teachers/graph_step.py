"""The parts of a flattened model: steps that call operations, values between them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Step:
    """One call of one operation (a layer, or an operation of `keras.ops`).

    `inputs` and `outputs` are indices into `ModelGraph.values`; `node` holds the
    arguments of the call. `operation` is None for the cast that a nested model
    makes of its input.
    """

    index: int
    path: str
    operation: Any
    node: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: batched shape, dtype and the step that makes it."""

    index: int
    shape: Shape
    dtype: str
    step: int | None


def call_step(
    step: Step,
    values: Mapping[int, Any],
    operation: Any = None,
    training: bool | None = False,
) -> Any:
    """Calls a step's operation (or another in its place) with given tensors.

    The node's own arguments are filled in, so lists, keyword tensors and constants
    arrive as in the model; a `training` among them gives way to the one given, or
    for None to the caller's.
    """
    operation = step.operation if operation is None else operation
    tensors = {
        id(tensor): values[index]
        for tensor, index in zip(step.node.input_tensors, step.inputs, strict=True)
    }
    args, kwargs = step.node.arguments.fill_in(tensors)
    kwargs = {name: value for name, value in kwargs.items() if name != "training"}
    if training is not None and takes_training(operation):
        kwargs["training"] = training
    return operation(*args, **kwargs)


def takes_training(operation: Any) -> bool:
    """Whether `operation.call` has the argument `training`."""
    return "training" in inspect.signature(operation.call).parameters


def variables_of(operations: Iterable[Any]) -> list[Any]:
    """All variables of the layers, each once, in graph order."""
    found: dict[int, Any] = {}
    for operation in operations:
        if isinstance(operation, keras.Layer):
            found.update((id(v), v) for v in operation.variables)
    return list(found.values())
