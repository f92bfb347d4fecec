"""The end of a classifier: its logits, and what lies between features and answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.frozen_layer import run_frozen
from keras_explainer.teachers.graph_step import Step, call_step
from keras_explainer.teachers.model_graph import ModelGraph

Call = Callable[[Step, Mapping[int, Any]], Any]

# Layers that only rename, reshape or (at inference) pass on their input.
_PASSING = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.Dropout,
)


@dataclass(frozen=True)
class Logits:
    """How to compute the logits of a model's answer.

    `source` is the value that they start from; with `linear_step` that step is
    called with its activation taken off; then `rest`, the reshapes between the
    activation and the answer, are applied.
    """

    activation: str
    source: int
    linear_step: Step | None
    rest: tuple[Step, ...]

    def compute(self, values: Mapping[int, Any]) -> Any:
        """The logits from computed values; `source` must be among them."""
        if self.linear_step is None:
            current = values[self.source]
        else:
            step = self.linear_step
            linear = without_activation(step.operation)
            current = call_step(step, values, linear)
        for step in self.rest:
            current = call_step(step, {step.inputs[0]: current})
        return current


class ClassifierHead:
    """Computes `outputs` and `logits` of a flattened model from some of its values.

    Logits are the input of the last softmax or sigmoid; for a model that ends in a
    linear layer they are its output. A last layer with a built-in activation is
    called without it, on the same weights. A model that ends otherwise has none.

    Args:
        graph: The flattened model.
        output: Value index of the answer.
    """

    def __init__(self, graph: ModelGraph, output: int) -> None:
        self.graph = graph
        self.output = output
        self.logits = find_logits(graph, output)

    @property
    def activation(self) -> str | None:
        """'softmax', 'sigmoid', 'linear', or None without logits."""
        return self.logits.activation if self.logits else None

    def has_logits_from(self, value: int) -> bool:
        """Whether the logits follow from `value` alone."""
        if self.logits is None:
            return False
        try:
            self.graph.needed([value], [self.logits.source])
        except TeacherError:
            return False
        return True

    def compute(self, given: Mapping[int, Any]) -> dict[str, Any]:
        """The answer in float32, from tensors that it follows from.

        Returns:
            `outputs`, and `logits` where they follow from what is given.
        """
        wanted = [self.output]
        logits = self.logits
        if logits is not None and self.has_logits_from(next(iter(given))):
            wanted.append(logits.source)
        values = self.graph.run(given, wanted)
        result = {"outputs": keras.ops.cast(values[self.output], "float32")}
        if logits is not None and len(wanted) > 1:
            result["logits"] = keras.ops.cast(logits.compute(values), "float32")
        return result

    def logits_steps(self, value: int) -> tuple[list[Step], Step | None]:
        """The steps from `value` to the logits.

        Returns:
            Those that are called as they are, and the one after them that is called
            without its activation, if there is one.

        Raises:
            ValueError: There are no logits.
        """
        logits = self._known_logits()
        return self.graph.needed([value], [logits.source]), logits.linear_step

    def logits_by(self, value: int, given: Any, call: Call) -> Any:
        """The logits in float32, from one value that they follow from.

        Args:
            value: Index of the value that is given.
            given: Its tensor.
            call: Calls a step with the values so far, see `ModelGraph.run`.

        Raises:
            ValueError: There are no logits.
        """
        logits = self._known_logits()
        values = self.graph.run({value: given}, [logits.source], call)
        return keras.ops.cast(logits.compute(values), "float32")

    def _known_logits(self) -> Logits:
        if self.logits is None:
            raise ValueError(f"'{self.graph.model.name}' has no logits.")
        return self.logits


def find_logits(graph: ModelGraph, output: int) -> Logits | None:
    """Walks back from a model's answer, one vector an image, to its last activation."""
    if any(size != 1 for size in graph.values[output].shape[1:-1]):
        return None
    rest: list[Step] = []
    value = output
    while (index := graph.values[value].step) is not None:
        step = graph.steps[index]
        operation = step.operation
        kind = activation_of(operation)
        if kind in ("softmax", "sigmoid"):
            passing = tuple(reversed(rest))
            if is_pure_activation(operation):
                return Logits(kind, step.inputs[0], None, passing)
            if len(step.inputs) == 1 and _can_be_linear(graph, step):
                return Logits(kind, step.inputs[0], step, passing)
            return None
        passes = operation is None or isinstance(operation, _PASSING)
        if not passes and not (kind == "linear" and is_pure_activation(operation)):
            # A linear layer gives the answer itself: what follows only reshapes it.
            linear = kind == "linear" and bool(operation.weights)
            return Logits("linear", output, None, ()) if linear else None
        if operation is not None:
            rest.append(step)
        value = step.inputs[0]
    return None


def activation_of(operation: Any) -> str | None:
    """The name of an operation's activation function; None if it has none.

    A layer with weights and no activation, a Dense say, has 'linear'.
    """
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    if isinstance(operation, keras.Layer):
        function = getattr(operation, "activation", None)
        if isinstance(operation, keras.layers.RNN) or not callable(function):
            return None
        return str(getattr(function, "__name__", type(function).__name__)).lower()
    # Operations of keras.ops: ops.softmax(x) is recorded as an object of class Softmax.
    name = type(operation).__name__.lower()
    return name if name in ("softmax", "sigmoid") else None


def is_pure_activation(operation: Any) -> bool:
    """Whether an operation is its activation and nothing else."""
    if isinstance(operation, keras.Layer):
        return isinstance(operation, keras.layers.Activation | keras.layers.Softmax)
    return operation is not None and activation_of(operation) is not None


def without_activation(layer: keras.Layer) -> Any:
    """The same layer, on the same variables, with a linear activation.

    The layer itself is left alone: this is a second object with the same contents.
    (`copy.copy` would go through Keras' serialisation and copy the weights.)
    """
    linear = object.__new__(type(layer))
    linear.__dict__.update(layer.__dict__)
    linear.__dict__["activation"] = keras.activations.linear
    return linear


def _can_be_linear(graph: ModelGraph, step: Step) -> bool:
    """Proves on a probe that the layer is its activation after its linear form."""
    shape = [size or 1 for size in graph.values[step.inputs[0]].shape]
    probe = np.random.default_rng(0).normal(size=shape).astype("float32")
    dtype = graph.values[step.inputs[0]].dtype
    layer = step.operation

    def both_ways(probe: Any) -> list[Any]:
        values = {step.inputs[0]: keras.ops.cast(probe, dtype)}
        linear = call_step(step, values, without_activation(layer))
        return [layer.activation(linear), call_step(step, values)]

    results = run_frozen(both_ways, layer.variables, keras.ops.convert_to_tensor(probe))
    found, expected = (
        np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")))
        for x in results
    )
    return np.shape(found) == np.shape(expected) and bool(
        np.allclose(found, expected, atol=1e-2 if dtype != "float32" else 1e-5)
    )
