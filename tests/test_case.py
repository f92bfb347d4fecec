"""What every layer must stand: one case for all of them."""

from __future__ import annotations

import json
import operator
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

BACKEND = keras.backend.backend()
# A share of values may differ more in low precision: a mask's peak may move.
PRECISIONS = {"mixed_bfloat16": 0.05, "mixed_float16": 0.01, "float64": 1e-4}


def to_numpy(tensor: Any) -> np.ndarray:
    """A tensor of any precision as float64 (whole numbers and bools as they are)."""
    if keras.backend.standardize_dtype(tensor.dtype) in ("bfloat16", "float16"):
        tensor = ops.cast(tensor, "float32")
    array = np.asarray(ops.convert_to_numpy(tensor))
    return array.astype("float64") if array.dtype.kind == "f" else array


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """On JAX the compiled function: op by op, each operation is compiled by itself."""
    if BACKEND != "jax":
        return function
    import jax

    return jax.jit(function)


def examples(count: int) -> int:
    """Examples of a property test: fewer on JAX, which compiles for each shape."""
    return count if BACKEND != "jax" else max(4, count // 10)


def run(layer: keras.layers.Layer, inputs: Any, training: bool = False) -> Any:
    """`layer(inputs)`, its states updated; on JAX as one compiled function."""
    if BACKEND != "jax":
        return layer(inputs, training=training)
    if not layer.built:
        layer(_symbols(inputs))

    def traced(values: list[Any], given: Any) -> tuple[Any, list[Any]]:
        mapping = zip(layer.variables, values, strict=True)
        with keras.StatelessScope(state_mapping=list(mapping)) as scope:
            outputs = layer(given, training=training)
        return outputs, [
            scope.get_current_value(variable)
            for variable in layer.non_trainable_variables
        ]

    outputs, states = compiled(traced)(
        [variable.value for variable in layer.variables],
        keras.tree.map_structure(ops.convert_to_tensor, inputs),
    )
    for variable, value in zip(layer.non_trainable_variables, states, strict=True):
        variable.assign(value)
    return outputs


def gradient(function: Callable[[Any], Any], at: np.ndarray) -> np.ndarray:
    """The gradient of a scalar function of one tensor, by the backend's autodiff."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tensor = tf.convert_to_tensor(at)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = function(tensor)
        return to_numpy(tape.gradient(value, tensor))
    if BACKEND == "jax":
        import jax

        return to_numpy(jax.jit(jax.grad(function))(ops.convert_to_tensor(at)))
    tensor = ops.convert_to_tensor(at).clone().requires_grad_(True)
    function(tensor).backward()
    return to_numpy(tensor.grad)


class TestCase:
    """Base of the layers' tests.

    `run_layer_test` runs every check; each can be run alone. A layer is given as one
    object; others are made from its configuration.
    """

    def setup_method(self) -> None:
        """The same start weights in each run."""
        keras.utils.set_random_seed(0)

    def run_layer_test(
        self,
        layer: keras.layers.Layer,
        input_shape: Any = None,
        *,
        inputs: Any = None,
        expected_output_shape: Any,
        trainable_weights: int,
        non_trainable_weights: int,
        float32_state: tuple[str, ...] = (),
        float32_output: bool = False,
        agreeing: float = 1.0,
        jit: bool = True,
    ) -> None:
        """Runs all checks.

        Args:
            layer: the layer, not built.
            input_shape: shape with the batch (at least 2), or a list of shapes;
                normal noise of that shape is the input.
            inputs: arrays instead.
            expected_output_shape: with the batch; a dict where the layer gives one.
            trainable_weights, non_trainable_weights: how many arrays of each kind.
            float32_state: attributes (`norm.running_sum`) that are float32 in every
                precision: variables, values, or layers with all their weights.
            float32_output: whether the output is float32 in every precision.
            agreeing: share of the output's values that low precision must keep.
            jit: whether the learning step is also compiled.
        """
        if inputs is None:
            inputs = noise(input_shape)
        self.run_shape_test(layer, inputs, expected_output_shape)
        assert len(layer.trainable_weights) == trainable_weights
        # States of random generators are Keras' own business.
        states = [
            weight
            for weight in layer.non_trainable_variables
            if "seed_generator" not in weight.path
        ]
        assert len(states) == non_trainable_weights
        self.run_batch_test(layer, inputs)
        self.run_serialization_test(layer, inputs)
        self.run_precision_test(
            layer,
            inputs,
            float32_state=float32_state,
            float32_output=float32_output,
            agreeing=agreeing,
        )
        self.run_learning_test(layer, inputs, jit=jit)

    def run_shape_test(
        self, layer: keras.layers.Layer, inputs: Any, expected_output_shape: Any
    ) -> None:
        """Output shape: as computed, as traced and as it is."""
        shapes = keras.tree.map_structure(lambda array: array.shape, inputs)
        expected = _by_leaf(expected_output_shape)
        assert _shapes(run(layer, inputs)) == expected
        if not getattr(layer.compute_output_shape, "_is_default", False):
            computed = layer.compute_output_shape(shapes)
            assert _by_leaf(computed) == expected
            assert layer.compute_output_shape(_unknown_batch(shapes)) is not None
        symbols = _symbols(inputs)
        traced = _shapes(layer(symbols))
        assert traced == {name: (None, *shape[1:]) for name, shape in expected.items()}

    def run_batch_test(self, layer: keras.layers.Layer, inputs: Any) -> None:
        """A model of unknown batch size: each example's answer is its own."""
        model = _model(layer, inputs)
        whole = _outputs(run(model, inputs))
        for size in (1, 2):
            predicted = _outputs(model.predict(inputs, batch_size=size, verbose=0))
            for name, values in whole.items():
                np.testing.assert_allclose(predicted[name], values, atol=2e-5)

    def run_serialization_test(self, layer: keras.layers.Layer, inputs: Any) -> None:
        """Configuration, and a model in a `.keras` file, give the same layer back."""
        run(layer, inputs, training=True)  # moves running states off their start
        config = layer.get_config()
        again = type(layer).from_config(config)
        assert _as_json(again.get_config()) == _as_json(config)
        again(_symbols(inputs))
        again.set_weights(layer.get_weights())
        expected = _outputs(run(layer, inputs))
        _assert_equal(_outputs(run(again, inputs)), expected)

        model = _model(layer, inputs)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            model.save(path)
            loaded = keras.saving.load_model(path)
        _assert_equal(_outputs(run(loaded, inputs)), expected)
        found = loaded.get_layer(layer.name)
        assert type(found) is type(layer)
        for mine, theirs in zip(layer.weights, found.weights, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(to_numpy(mine), to_numpy(theirs))

    def run_precision_test(
        self,
        layer: keras.layers.Layer,
        inputs: Any,
        *,
        float32_state: tuple[str, ...] = (),
        float32_output: bool = False,
        agreeing: float = 1.0,
    ) -> None:
        """Every precision gives about the same, and keeps its states in float32."""
        layer(_symbols(inputs))
        expected = _outputs(run(layer, inputs))
        for policy, tolerance in PRECISIONS.items():
            if policy == "float64" and BACKEND == "jax":
                continue  # JAX has no float64 unless the whole process is set to it.
            config = {**layer.get_config(), "dtype": policy}
            other = type(layer).from_config(config)
            other(_symbols(inputs))
            other.set_weights(layer.get_weights())
            found = run(other, inputs)
            for tensor in keras.tree.flatten(found):
                kind = keras.backend.standardize_dtype(tensor.dtype)
                wanted = "float32" if float32_output else other.compute_dtype
                assert kind == wanted, policy
            for name, values in _outputs(found).items():
                scale = np.abs(expected[name]).max() + 1e-6
                close = np.abs(values - expected[name]) <= tolerance * scale
                assert close.mean() >= agreeing, (policy, name, close.mean())
            for values in _outputs(run(other, inputs, training=True)).values():
                assert np.isfinite(values).all(), policy
            kept: list[Any] = []
            for name in float32_state:
                value = operator.attrgetter(name)(other)
                kept.extend(value.weights if hasattr(value, "weights") else [value])
            for value in kept:
                kind = keras.backend.standardize_dtype(value.dtype)
                assert kind == "float32", (policy, value)
            for weight in other.trainable_weights:
                if all(weight is not state for state in kept):
                    assert weight.dtype == other.variable_dtype, (policy, weight.path)

    def run_learning_test(
        self, layer: keras.layers.Layer, inputs: Any, *, jit: bool = True
    ) -> None:
        """One step of SGD: finite gradients, compiled or not, through the layer."""
        layer(_symbols(inputs))
        start = layer.get_weights()
        results = {}
        modes = {"plain": {"run_eagerly": True}, "jit": {"jit_compile": True}}
        if BACKEND == "torch" or not jit:
            del modes["jit"]  # torch.compile takes a minute a layer
        elif BACKEND == "jax":
            del modes["plain"]
        for mode, options in modes.items():
            keras.utils.set_random_seed(0)
            fresh = type(layer).from_config(layer.get_config())
            model = _model(fresh, inputs, before=True)
            fresh.set_weights(start)
            before = [to_numpy(weight) for weight in model.trainable_weights]
            model.compile(keras.optimizers.SGD(0.05), loss="mse", **options)
            goal = np.ones((len(keras.tree.flatten(inputs)[0]), 1), "float32")
            loss = model.train_on_batch(inputs, goal)
            assert np.isfinite(loss)
            after = [to_numpy(weight) for weight in model.trainable_weights]
            assert all(np.isfinite(values).all() for values in after)
            # The layers in front learn: the gradient goes through the layer.
            moved = {
                weight.path: not np.array_equal(old, new)
                for weight, old, new in zip(
                    model.trainable_weights, before, after, strict=True
                )
            }
            assert all(moved.values()), moved
            results[mode] = [to_numpy(weight) for weight in model.weights]
        if len(results) == 2:
            for plain, compiled in zip(*results.values(), strict=True):
                np.testing.assert_allclose(compiled, plain, rtol=1e-3, atol=1e-4)


def noise(shape: Any, seed: int = 0) -> Any:
    """Normal noise of a shape with a batch, or of a list of such shapes."""
    random = np.random.default_rng(seed)
    if isinstance(shape, list):
        return [random.normal(size=one).astype("float32") for one in shape]
    return random.normal(size=shape).astype("float32")


def _as_json(config: dict[str, Any]) -> str:
    return json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True)


def _symbols(inputs: Any) -> Any:
    return keras.tree.map_structure(
        lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name), inputs
    )


def _model(layer: Any, inputs: Any, before: bool = False) -> keras.Model:
    """A model of the layer; with `before`, of one learned layer, it, and their mean."""
    symbols = _symbols(inputs)
    if not before:
        return keras.Model(symbols, layer(symbols))
    given = keras.tree.map_structure(
        lambda symbol: keras.layers.Dense(symbol.shape[-1])(symbol), symbols
    )
    means = [
        ops.mean(ops.square(tensor), axis=tuple(range(1, len(tensor.shape))))
        for tensor in keras.tree.flatten(layer(given))
    ]
    return keras.Model(symbols, ops.reshape(sum(means), (-1, 1)))


def _by_leaf(shapes: Any) -> dict[str, tuple[Any, ...]]:
    if isinstance(shapes, dict):
        return {name: tuple(shape) for name, shape in shapes.items()}
    return {"": tuple(shapes)}


def _shapes(outputs: Any) -> dict[str, tuple[Any, ...]]:
    if isinstance(outputs, dict):
        return {name: tuple(tensor.shape) for name, tensor in outputs.items()}
    return {"": tuple(outputs.shape)}


def _unknown_batch(shapes: Any) -> Any:
    if isinstance(shapes, list):
        return [(None, *shape[1:]) for shape in shapes]
    return (None, *shapes[1:])


def _outputs(outputs: Any) -> dict[str, np.ndarray]:
    if isinstance(outputs, dict):
        return {name: to_numpy(tensor) for name, tensor in outputs.items()}
    return {"": to_numpy(outputs)}


def _assert_equal(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray]
) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
