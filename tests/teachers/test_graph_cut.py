"""Cuts of graphs, against an enumeration of all paths."""

from __future__ import annotations

from types import SimpleNamespace

import archetypes
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.graph_cut import (
    ancestor_sets,
    common_cuts,
    dominator_sets,
)
from keras_explainer.teachers.graph_step import call_step
from keras_explainer.teachers.model_graph import ModelGraph, ordered_nodes

layers = keras.layers


def paths_to(graph: ModelGraph, value: int) -> list[set[int]]:
    """All ways from the input to `value`, each as the values on it."""
    if value == graph.input:
        return [{value}]
    step = graph.steps[graph.values[value].step]
    return [way | {value} for v in set(step.inputs) for way in paths_to(graph, v)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=9))
def test_dominators_are_on_all_paths(edges: list[tuple[int, int]]) -> None:
    tensors = [image := keras.Input((4, 4, 1))]
    for a, b in edges:
        a, b = a % len(tensors), b % len(tensors)
        layer = layers.Identity() if a == b else layers.Add()
        given = tensors[a] if a == b else [tensors[a], tensors[b]]
        tensors.append(layer(given))
    last = layers.ReLU()(tensors[-1])
    graph = ModelGraph(keras.Model(image, last))
    dominators = dominator_sets(graph, graph.input)
    ancestors = ancestor_sets(graph)
    for value in range(len(graph.values)):
        ways = paths_to(graph, value)
        on_all = set.intersection(*ways)
        on_any = set.union(*ways) - {value}
        assert {v for v in range(99) if dominators[value] >> v & 1} == on_all
        assert {v for v in range(99) if ancestors[value] >> v & 1} == on_any
    output = graph.outputs[0]
    expected = set.intersection(*paths_to(graph, output)) - {graph.input, output}
    assert common_cuts(graph, [output]) == sorted(expected)


@pytest.mark.parametrize("name", ["residual", "inception", "dense_concat", "nested"])
def test_valid_taps_are_cuts_and_the_others_are_refused(name: str, teacher_of) -> None:
    teacher = teacher_of(name)
    graph = teacher.graph
    targets = [graph.resolve(path) for path in teacher.targets]
    ways = [way for target in targets for way in paths_to(graph, target)]
    on_all = set.intersection(*ways)
    before = [v for v in range(1, min(targets)) if len(graph.values[v].shape) == 4]
    taps = {graph.name_of(v) for v in before if v in on_all}
    assert set(teacher.valid_taps) == taps
    assert teacher.tap in taps
    others = {graph.name_of(v) for v in before} - taps
    assert others or name == "nested"
    for path in others:
        with pytest.raises(TeacherError, match=r"no cut|does not depend") as caught:
            Teacher(teacher.model, path, teacher.targets)
        named = str(caught.value).split("valid taps: ")[1].rstrip(".").split(", ")
        assert 3 <= len(named) <= 6
        assert set(named) <= taps


def test_message_names_the_bypass() -> None:
    model = archetypes.build("residual")
    with pytest.raises(TeacherError) as caught:
        Teacher(model, "block2_1_relu", ["block3_out"])
    message = str(caught.value)
    assert "'block2_1_relu' is no cut" in message
    assert "'block2_0_conv' (fed by 'block1_out')" in message
    assert "block1_out, block2_add, block2_out" in message


@pytest.mark.parametrize(
    ("tap", "targets", "text"),
    [
        ("conv22", None, r"Unknown tap 'conv22'.*Nearest valid: conv2"),
        ("conv2", ["conv9"], r"Unknown target 'conv9'.*conv"),
        ("conv2", ["conv1"], r"target 'conv1' lies before the tap 'conv2'"),
        ("conv2", ["conv2"], r"target 'conv2' is the tap itself"),
        ("conv2", [], r"at least one target"),
        ("conv2", "conv4", r"targets=\['conv4'\]"),
        ("conv2", ["conv4", "conv4"], r"same layer"),
        ("gap", ["predictions"], r"'gap' has outputs of shape.*no spatial map"),
        (7, None, r"a string such as 'predictions', got int"),
        ("conv2", [7], r"a string such as 'predictions', got int"),
    ],
)
def test_wrong_layers(tap, targets, text: str, teacher_of) -> None:
    with pytest.raises(TeacherError, match=text):
        Teacher(teacher_of("plain").model, tap, targets)


def test_the_input_is_no_tap(teacher_of) -> None:
    model = teacher_of("plain").model
    with pytest.raises(TeacherError, match="is the model's input"):
        Teacher(model, model.inputs[0]._keras_history.operation.name)


def test_target_on_another_branch(teacher_of) -> None:
    model = teacher_of("inception").model
    with pytest.raises(TeacherError, match="does not depend on the tap"):
        Teacher(model, "mix2_a", ["mix2_b2_act"])


def test_layers_called_twice() -> None:
    model = archetypes.build("shared")
    for path in ("both", "twice/inner_conv", "twice"):
        with pytest.raises(TeacherError, match=rf"'{path}' is called [23] times"):
            Teacher(model, path, ["conv2"])
        with pytest.raises(TeacherError, match=rf"'{path}' is called [23] times"):
            Teacher(model, "conv1", [path])
    # The third call of `both` lies between the tap and a target: that is allowed.
    assert "both" not in Teacher(model, "conv1", ["sum"]).valid_taps


def test_a_call_outside_of_the_model_does_not_count() -> None:
    model = archetypes.build("plain")
    layer = model.get_layer("conv2")
    layer(keras.Input((16, 16, 8)))
    assert Teacher(model, "conv2", ["conv4"]).tap == "conv2"


def test_nested_paths_and_hints() -> None:
    model = archetypes.build("nested")
    with pytest.raises(TeacherError, match="Inside a nested model: backbone/conv2"):
        Teacher(model, "conv2")
    # The path of the nested model stands for its output.
    teacher = Teacher(model, "backbone", ["gap"])
    assert teacher.tap == "backbone"
    assert teacher.tap_shape == (6, 5, 16)
    assert Teacher(model, "backbone/conv1", ["backbone"]).targets == ("backbone",)


def test_nested_model_with_several_inputs_and_outputs() -> None:
    a, b = keras.Input((8, 6, 4), name="a"), keras.Input((8, 6, 4), name="b")
    inner = keras.Model(
        {"a": a, "b": b},
        {"sum": layers.Add(name="plus")([a, b]), "less": layers.Subtract()([a, b])},
        name="inner",
    )
    image = keras.Input((10, 8, 3))
    left = layers.Conv2D(4, 3, name="left")(image)
    right = layers.Conv2D(4, 3, name="right")(image)
    both = inner({"b": right, "a": left})
    x = layers.Concatenate(name="all")([both["sum"], both["less"]])
    model = keras.Model(image, layers.ReLU(name="last")(x))
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    teacher = Teacher(model, "all", ["last"])
    images = random.uniform(0, 255, (2, 10, 8, 3)).astype("float32")
    tap, targets = teacher.extract(images)
    expected = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(targets["last"], expected, atol=1e-3)
    np.testing.assert_allclose(np.maximum(tap, 0), expected, atol=1e-3)
    with pytest.raises(TeacherError, match="'inner' has 2 outputs"):
        Teacher(model, "inner", ["last"])


@pytest.mark.one_backend
def test_values_are_let_go_when_no_step_takes_them() -> None:
    """A block of two branches takes two values at most; no more are held."""
    image = keras.Input((4, 4, 3))
    x = image
    for _ in range(6):
        x = keras.layers.Add()([x, keras.layers.Conv2D(3, 1)(x)])
    graph = ModelGraph(keras.Model(image, x))
    held = []

    def call(step, values):
        held.append(len(values))
        return call_step(step, values)

    pixels = keras.ops.ones((1, 4, 4, 3))
    found = graph.run({graph.input: pixels}, graph.outputs, call)
    assert set(found) == set(graph.outputs)
    assert len(held) == 12 and max(held) == 2
    everything = range(len(graph.values))
    assert set(graph.run({graph.input: pixels}, everything)) == set(everything)


def test_targets_are_in_graph_order(teacher_of) -> None:
    model = teacher_of("fully_connected").model
    teacher = Teacher(model, "conv3", ["fc2_relu", "fc1", "pool3"])
    assert teacher.targets == ("pool3", "fc1", "fc2_relu")
    assert list(teacher.target_shapes) == list(teacher.targets)


def subclassed() -> keras.Model:
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    return Own(name="own")


def functional_with_own_call() -> keras.Model:
    class Own(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return super().call(inputs) * 2.0

    image = keras.Input((8, 8, 3))
    return Own(image, layers.Conv2D(2, 3)(image), name="own")


def unbuilt() -> keras.Model:
    return keras.Sequential([layers.Conv2D(4, 3)], name="unbuilt")


def two_inputs() -> keras.Model:
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    return keras.Model([a, b], layers.Conv2D(4, 3)(layers.Add()([a, b])))


def vectors() -> keras.Model:
    image = keras.Input((12,))
    return keras.Model(image, layers.Dense(3)(layers.Dense(4)(image)))


def channels_first() -> keras.Model:
    image = keras.Input((3, 8, 8))
    x = layers.Conv2D(4, 3, data_format="channels_first", name="first")(image)
    return keras.Model(image, layers.ReLU()(x))


def any_size() -> keras.Model:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv1")(image)
    x = layers.Conv2D(4, 3, 2, activation="relu", name="conv2")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="any_size")


def without_convolution() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Dense(9, activation="relu")(layers.Flatten()(image))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def transformer() -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 8, 8, name="patches")(image)
    x = layers.Reshape((16, 8))(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def not_finite() -> keras.Model:
    model = archetypes.build("plain")
    kernel = model.get_layer("conv2").kernel
    value = keras.ops.convert_to_numpy(kernel).copy()
    value[0, 0, 0, 0] = np.nan
    kernel.assign(value)
    return model


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (subclassed, "subclassed model.*functional"),
        (functional_with_own_call, "subclassed model"),
        (unbuilt, r"no input shape yet.*keras\.Input"),
        (two_inputs, "has 2 inputs"),
        (vectors, r"takes inputs of shape \(None, 12\)"),
        (channels_first, "'first' has data_format='channels_first'"),
        (any_size, r"any size.*input_shape"),
        (without_convolution, "no convolution; choose"),
        (transformer, "attention layers: a transformer"),
        (not_finite, "'conv2/kernel' of 'plain' has NaN"),
        (lambda: "model.keras", r"got str.*from_file"),
        (lambda: layers.Dense(3), r"got Dense"),
    ],
)
def test_models_that_cannot_be_a_teacher(make, text: str) -> None:
    with pytest.raises(TeacherError, match=text):
        Teacher(make())


def test_input_shape_for_a_model_of_any_size() -> None:
    model = any_size()
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    teacher = Teacher(model, "conv1", ["conv2"], input_shape=(13, 17, 3))
    assert teacher.input_shape == (13, 17, 3)
    assert teacher.tap_shape == (11, 15, 4)
    assert teacher.target_shapes == {"conv2": (5, 7, 4)}
    tap, targets = teacher.extract(np.full((2, 13, 17, 3), 9, "uint8"))
    assert tap.shape == (2, 11, 15, 4)
    assert targets["conv2"].shape == (2, 5, 7, 4)
    assert model.inputs[0].shape == (None, None, None, 3)
    for shape in ((13, 17, 1), (13, 17), (2, 2, 3)):
        with pytest.raises(TeacherError, match=r"does not fit|cannot take"):
            Teacher(model, "conv1", ["conv2"], input_shape=shape)
    with pytest.raises(TeacherError, match="does not fit"):
        Teacher(archetypes.build("plain"), "conv2", input_shape=(48, 48, 3))


def test_a_deep_graph_needs_no_recursion() -> None:
    x = image = keras.Input((8, 8, 1))
    for _ in range(1200):
        x = layers.Identity()(x)
    # keras.Model itself walks recursively and cannot hold so many layers.
    deep = SimpleNamespace(name="deep", inputs=[image], outputs=[x])
    nodes = ordered_nodes(deep)
    assert len(nodes) == 1200
    assert nodes[-1].outputs[0] is x
