"""The work of a TensorFlow graph: FLOPs of its products, bytes of its light layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

CALLS = ("PartitionedCall", "StatefulPartitionedCall")


def work_of(function: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    """The work of `function(*arguments)`, traced, not run.

    Returns:
        `conv` and `matmul` FLOPs (a multiplication and an addition are two), forward
        and backward, and `bytes` that depthwise convolutions read and write: these
        move more than they compute.
    """
    import tensorflow as tf

    traced = tf.function(function, autograph=False).get_concrete_function(*arguments)
    return graph_work(traced.graph)


def graph_work(graph: Any) -> dict[str, float]:
    """The work of a graph whose shapes are known, see `work_of`."""
    total = {"conv": 0.0, "matmul": 0.0, "bytes": 0.0}
    for operation in _operations(graph):
        kind = operation.type
        if "DepthwiseConv2d" in kind:
            tensors = [*operation.inputs, *operation.outputs]
            total["bytes"] += sum(4.0 * _size(t) for t in tensors)
        elif kind.endswith("Conv2D") or "Conv2DBackprop" in kind:
            total["conv"] += _convolution(operation)
        elif kind in ("MatMul", "_FusedMatMul", "BatchMatMulV2", "BatchMatMul"):
            total["matmul"] += _product(operation)
    return total


def _operations(graph: Any) -> Iterator[Any]:
    for operation in graph.get_operations():
        if operation.type in CALLS:
            yield from _operations(_called(graph, operation))
        else:
            yield operation


def _called(graph: Any, operation: Any) -> Any:
    name = operation.get_attr("f").name
    while graph is not None:
        found = graph._functions.get(name) if hasattr(graph, "_functions") else None
        if found is not None:
            return found.graph
        graph = getattr(graph, "outer_graph", None)
    raise LookupError(f"The function {name} is in none of the graphs.")


def _size(tensor: Any) -> float:
    shape = tensor.shape
    if not shape.is_fully_defined():
        raise ValueError(f"{tensor.name} has the unknown shape {shape}.")
    return float(np.prod(shape.as_list(), dtype="float64"))


def _convolution(operation: Any) -> float:
    """2 · output values · kernel cells · input channels, whichever gradient it is."""
    if operation.type.endswith("BackpropFilter"):
        kernel, output = operation.outputs[0], operation.inputs[2]
    elif operation.type.endswith("BackpropInput"):
        kernel, output = operation.inputs[1], operation.inputs[2]
    else:
        kernel, output = operation.inputs[1], operation.outputs[0]
    return 2 * _size(output) * _size(kernel) / kernel.shape[-1]


def _product(operation: Any) -> float:
    """2 · output values · the length of the sum."""
    left = operation.inputs[0].shape
    names = operation.node_def.attr
    swapped = names["transpose_a"].b if "transpose_a" in names else names["adj_x"].b
    inner = left[-2] if swapped else left[-1]
    return 2 * _size(operation.outputs[0]) * float(inner)
