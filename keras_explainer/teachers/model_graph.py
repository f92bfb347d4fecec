"""A Keras model as one flat list of steps that runs without touching the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_explainer.errors import TeacherError, did_you_mean
from keras_explainer.teachers.frozen_layer import FrozenLayer
from keras_explainer.teachers.graph_step import Step, Value, call_step, variables_of
from keras_explainer.teachers.model_checks import check_model, has_own_graph


class ModelGraph:
    """Functional, Sequential and nested models, flattened into ordered steps.

    The graph is read from the nodes of the layers, never from `layer.output`, so
    that a layer that is called twice gives two steps. A layer inside a nested
    model has the path `outer/inner`; the path of a nested model itself stands for
    its output. `run` calls the model's own layers with real tensors and
    `training=False`: no node is added to them, and their variables are shared.

    Args:
        model: A built functional or `keras.Sequential` model with one image input.
        input_shape: (H, W, C) for a model that takes images of any size; else None.

    Raises:
        TeacherError: A model without a graph (subclassed), not built, with several
            inputs, with an input that is not (H, W, C), or channels first.
    """

    def __init__(
        self, model: keras.Model, input_shape: Sequence[int] | None = None
    ) -> None:
        check_model(model)
        self.model = model
        self.steps: list[Step] = []
        self.values: list[Value] = []
        self._paths: dict[str, list[tuple[int, ...]]] = {}
        self._calls_of_models: dict[str, int] = {}
        image = model.inputs[0]
        self.input = self._new_value(image, None)
        self._input_path = image._keras_history.operation.name
        self.outputs = self._flatten(model, "", {id(image): self.input})
        self.output_names = _output_names(model)
        self.variables = variables_of(step.operation for step in self.steps)
        self._check_layers()
        self._fix_size(input_shape)

    # Flattening

    def _new_value(self, tensor: Any, step: int | None) -> int:
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        value = Value(len(self.values), tuple(tensor.shape), dtype, step)
        self.values.append(value)
        return value.index

    def _flatten(self, model: Any, prefix: str, known: dict[int, int]) -> list[int]:
        """Adds the steps of one model; `known` maps its tensors to values."""
        for node in ordered_nodes(model):
            operation = node.operation
            path = prefix + operation.name
            inputs = tuple(known[id(t)] for t in node.input_tensors)
            if has_own_graph(operation):
                outputs = self._flatten_nested(operation, path, node, inputs)
            else:
                outputs = self._add_step(path, operation, node, inputs, node.outputs)
            self._paths.setdefault(path, []).append(tuple(outputs))
            known.update((id(t), v) for t, v in zip(node.outputs, outputs, strict=True))
        missing = [t.name for t in model.outputs if id(t) not in known]
        if missing:
            raise TeacherError(
                f"The outputs {missing} of '{model.name}' do not follow from its input."
            )
        return [known[id(tensor)] for tensor in model.outputs]

    def _add_step(
        self,
        path: str,
        operation: Any,
        node: Any,
        inputs: tuple[int, ...],
        tensors: Sequence[Any],
    ) -> list[int]:
        index = len(self.steps)
        outputs = [self._new_value(tensor, index) for tensor in tensors]
        self.steps.append(Step(index, path, operation, node, inputs, tuple(outputs)))
        return outputs

    def _flatten_nested(
        self, model: Any, path: str, node: Any, inputs: tuple[int, ...]
    ) -> list[int]:
        by_id = {id(t): v for t, v in zip(node.input_tensors, inputs, strict=True)}
        given = [by_id[id(t)] for t in _ordered_inputs(model, node)]
        known = {}
        for tensor, value in zip(model.inputs, given, strict=True):
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            if dtype != self.values[value].dtype:
                # A nested model casts its inputs to the dtype it was built with.
                name = f"{path}/{tensor._keras_history.operation.name}"
                value = self._add_step(name, None, None, (value,), [tensor])[0]
            known[id(tensor)] = value
        return self._flatten(model, path + "/", known)

    def _check_layers(self) -> None:
        for step in self.steps:
            if getattr(step.operation, "data_format", None) == "channels_first":
                raise TeacherError(
                    f"Layer '{step.path}' has data_format='channels_first'; only "
                    "'channels_last' (N, H, W, C) is supported. Rebuild the model "
                    "with keras.config.set_image_data_format('channels_last')."
                )

    def _fix_size(self, input_shape: Sequence[int] | None) -> None:
        """Fills the image size into all shapes of a model that takes any size."""
        built = self.values[self.input].shape[1:]
        if input_shape is None:
            if None in built:
                raise TeacherError(
                    f"'{self.model.name}' takes images of any size {built}; give "
                    "input_shape=(height, width, channels)."
                )
            return
        shape = tuple(int(size) for size in input_shape)
        if len(shape) != 3 or any(
            known not in (None, size) for known, size in zip(built, shape, strict=False)
        ):
            raise TeacherError(
                f"input_shape {shape} does not fit '{self.model.name}', which takes "
                f"{built}."
            )
        if None not in built:
            return
        everything = FrozenLayer(
            lambda image: self.run({self.input: image}, range(len(self.values))),
            lambda: self.variables,
        )
        dtype = self.values[self.input].dtype
        try:
            traced = everything(keras.KerasTensor((None, *shape), dtype=dtype))
        except Exception as error:
            reason = " ".join(str(error).split())
            raise TeacherError(
                f"'{self.model.name}' cannot take images of {shape}: {reason}"
            ) from error
        # JAX traces on with maps of no cells.
        if any(0 in found.shape[1:] for found in traced.values()):
            raise TeacherError(
                f"'{self.model.name}' cannot take images of {shape}: a layer would "
                "have an output without cells."
            )
        self.values = [
            replace(value, shape=tuple(traced[value.index].shape))
            for value in self.values
        ]

    # Paths

    @property
    def paths(self) -> list[str]:
        """All paths of layers and nested models, in graph order."""
        return list(self._paths)

    def name_of(self, value: int) -> str:
        """The path of the step that makes `value`."""
        step = self.values[value].step
        return self._input_path if step is None else self.steps[step].path

    def resolve(self, path: str, role: str = "tap") -> int:
        """The value that a layer's path stands for.

        Args:
            path: Layer name, `outer/inner` for a layer of a nested model.
            role: 'tap' or 'target', for the message.

        Raises:
            TeacherError: Unknown path (nearest names listed), the input itself, a
                layer that is called more than once, or one with several outputs.
        """
        if not isinstance(path, str):
            raise TeacherError(
                f"A {role} is given by its layer's path, a string such as "
                f"'{self.paths[-1]}', got {type(path).__name__}."
            )
        if path == self._input_path:
            raise TeacherError(
                f"The {role} '{path}' is the model's input; choose a layer after it."
            )
        calls = self._paths.get(path)
        if calls is None:
            inner = [p for p in self._paths if p.endswith("/" + path)]
            hint = (
                f"Inside a nested model: {', '.join(inner[:3])}."
                if inner
                else did_you_mean(path, self._paths)
            )
            raise TeacherError(
                f"Unknown {role} '{path}' in model '{self.model.name}'. {hint}"
            )
        if len(calls) > 1:
            raise TeacherError(
                f"The {role} '{path}' is called {len(calls)} times in model "
                f"'{self.model.name}' (the layer, or the nested model that holds it, "
                "is used more than once), so its output is ambiguous. Choose a layer "
                "that is called once, for instance one right after it."
            )
        if len(calls[0]) != 1:
            raise TeacherError(
                f"The {role} '{path}' has {len(calls[0])} outputs; choose a layer "
                "with one."
            )
        return calls[0][0]

    # Running

    def needed(self, given: Iterable[int], wanted: Iterable[int]) -> list[Step]:
        """The steps that lead from the `given` values to the `wanted` ones.

        Raises:
            TeacherError: A wanted value needs a value that is not given.
        """
        given, needed, todo = set(given), set(), list(wanted)
        while todo:
            value = todo.pop()
            if value in given:
                continue
            index = self.values[value].step
            if index is None:
                raise TeacherError(
                    "These values do not follow from the given ones: the input "
                    f"'{self._input_path}' is needed too."
                )
            if index not in needed:
                needed.add(index)
                todo.extend(self.steps[index].inputs)
        return [self.steps[index] for index in sorted(needed)]

    def run(
        self,
        given: Mapping[int, Any],
        wanted: Iterable[int],
        call: Callable[[Step, Mapping[int, Any]], Any] = call_step,
    ) -> dict[int, Any]:
        """Computes values with the model's own layers, always `training=False`.

        A value that no later step takes is let go: computed operation by operation, a
        deep network would hold all of them.

        Args:
            given: Backend tensors by value index; cast to the value's dtype.
            wanted: Value indices.
            call: Calls a step with the values that it takes, in place of `call_step`.

        Returns:
            The wanted tensors by value index.
        """
        wanted = set(wanted)
        values = {
            index: keras.ops.cast(tensor, self.values[index].dtype)
            for index, tensor in given.items()
        }
        steps = self.needed(values, wanted)
        last = {value: step.index for step in steps for value in step.inputs}
        for step in steps:
            if step.operation is None:
                dtype = self.values[step.outputs[0]].dtype
                results = [keras.ops.cast(values[step.inputs[0]], dtype)]
            else:
                results = keras.tree.flatten(call(step, values))
            values.update(zip(step.outputs, results, strict=True))
            for value in set(step.inputs) - wanted:
                if last[value] == step.index:
                    del values[value]
        return {index: values[index] for index in wanted}


def ordered_nodes(model: Any) -> list[Any]:
    """The nodes between a model's inputs and outputs, inputs first.

    A depth-first walk from the outputs, without recursion, so that deep networks
    are no problem; the order depends on the graph alone.
    """
    inputs = {id(tensor) for tensor in model.inputs}
    done: set[int] = set()
    order: list[Any] = []
    todo: list[tuple[Any, bool]] = [(t, False) for t in reversed(model.outputs)]
    while todo:
        tensor, parents_done = todo.pop()
        operation, node_index, _ = tensor._keras_history
        if id(tensor) in inputs or operation is None:
            continue
        node = operation._inbound_nodes[node_index]
        if id(node) in done:
            continue
        if parents_done:
            done.add(id(node))
            order.append(node)
            continue
        if node.is_input:
            raise TeacherError(
                f"'{model.name}' uses the input '{operation.name}', which is not "
                "among its inputs."
            )
        todo.append((tensor, True))
        todo.extend((t, False) for t in reversed(node.input_tensors))
    return order


def _ordered_inputs(model: Any, node: Any) -> list[Any]:
    """The tensors of a call, in the order of the called model's inputs."""
    args, kwargs = node.arguments.args, node.arguments.kwargs
    first = args[0] if args else next(iter(kwargs.values()))
    if isinstance(first, dict):
        names = [tensor.name for tensor in model.inputs]
        if set(names) <= set(first):
            return [first[name] for name in names]
    return keras.tree.flatten(first)


def _output_names(model: Any) -> list[str]:
    names = getattr(model, "output_names", None)
    if names and len(names) == len(model.outputs):
        return list(names)
    return [tensor._keras_history.operation.name for tensor in model.outputs]
