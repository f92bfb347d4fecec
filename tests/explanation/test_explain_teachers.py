"""Teachers of all kinds: each has a defined answer or none."""

from __future__ import annotations

import json

import archetypes
import keras
import numpy as np
import pytest

from keras_explainer.errors import ConfigError, TeacherError
from keras_explainer.explainer import Explainer
from keras_explainer.explanation import explain, explanation_picture
from keras_explainer.teachers import Teacher

KINDS = ["grey", "five_channels", "squeeze_excite", "two_answers"]


@pytest.mark.parametrize("name", KINDS + ["headless"])
def test_archetypes(name):
    model = archetypes.build(name)
    teacher = Teacher(
        model,
        archetypes.TAP[name],
        archetypes.TARGETS[name],
        preprocessing=archetypes.PREPROCESSING[name],
    )
    images = archetypes.images(name, 3)
    explainer = Explainer(teacher, filters=4, recipe="single", decoder="conv")
    explanations = explain(explainer, images, verbose=0)
    json.dumps(explanations.to_dict(), allow_nan=False)
    answer = teacher.classify(images)["outputs"]
    for row, item in enumerate(explanations):
        assert item.image_size == teacher.input_shape[:2]
        assert item.map_size == teacher.tap_shape[:2]
        assert explanation_picture(images[row], item).height > 100
        if name == "headless":
            assert item.answer is item.reconstruction is None
            assert item.reconstruction_answer is None
            continue
        top = int(answer[row].argmax())
        assert item.answer.class_index == top
        assert item.answer.label is None
        assert item.answer.score == pytest.approx(answer[row, top], rel=1e-4)


# Weights are set by NumPy: Keras' random ones take JAX seconds to compile.
ZEROS = {"kernel_initializer": "zeros"}


def small(top, channels=3):
    x = image = keras.Input((16, 12, channels))
    same = {"padding": "same", "activation": "relu", **ZEROS}
    x = keras.layers.Conv2D(4, 3, 2, name="tap", **same)(x)
    x = keras.layers.Conv2D(6, 3, name="high", **same)(x)
    model = keras.Model(image, top(x))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.weights])
    return model


def pooled(units, activation):
    def top(x):
        x = keras.layers.GlobalAveragePooling2D()(x)
        return keras.layers.Dense(units, activation=activation, **ZEROS)(x)

    return top


def explained(model, labels=None):
    teacher = Teacher(model, "tap", ["high"], preprocessing="unit", labels=labels)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 12, 3)).astype("uint8")
    found = explain(
        Explainer(teacher, filters=3, recipe="single", decoder="conv"),
        images,
        verbose=0,
    )
    return found, teacher.classify(images)["outputs"]


def test_binary_teacher_of_one_output():
    found, outputs = explained(small(pooled(1, "sigmoid")))
    for item, output in zip(found, outputs, strict=True):
        assert item.answer.class_index == item.reconstruction_answer.class_index == 0
        assert item.answer.score == pytest.approx(output[0], rel=1e-4)
        logit = np.log(output[0] / (1 - output[0]))
        assert item.answer.logit == pytest.approx(logit, abs=1e-4)


def test_regression():
    found, outputs = explained(small(pooled(2, None)))
    for item, output in zip(found, outputs, strict=True):
        assert item.answer.class_index == output.argmax()
        assert item.answer.score == pytest.approx(output.max(), abs=1e-5)
        assert item.answer.logit == pytest.approx(item.answer.score)


def test_an_answer_without_logits():
    found, outputs = explained(small(pooled(3, "tanh")))
    assert found[0].answer.score == pytest.approx(outputs[0].max(), abs=1e-5)
    assert found[0].answer.logit is None


def test_an_answer_that_is_a_map_is_no_class():
    found, outputs = explained(
        small(lambda x: keras.layers.Conv2D(5, 1, activation="softmax", **ZEROS)(x))
    )
    assert outputs.shape == (2, 8, 6, 5)
    for item in found:
        assert item.answer is item.reconstruction is item.reconstruction_answer is None


def test_labels():
    found, outputs = explained(small(pooled(2, "softmax")), labels=["a", "b"])
    for item, output in zip(found, outputs, strict=True):
        assert item.answer.label == "ab"[output.argmax()]


# Contributions: each kind of teacher has a defined answer, or null with the reason.


def shared_out(model, output=None, class_index=None, **teacher):
    kind = Teacher(
        model, "tap", ["high"], preprocessing="unit", output=output, **teacher
    )
    explainer = Explainer(kind, filters=3, recipe="single", decoder="conv")
    shape = kind.input_shape
    images = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype("uint8")
    explainer.measure_tracks(explainer.features(images))
    found = explain(explainer, images[:2], class_index, steps=32, verbose=0)
    json.dumps(found.to_dict(), allow_nan=False)
    return found, kind.classify(images[:2])


HEADS = {
    "softmax": (3, "softmax"),
    "many labels": (3, "sigmoid"),
    "binary": (1, "sigmoid"),
    "one number": (1, None),
    "numbers": (3, None),
}


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", HEADS)
def test_contributions_of_kinds_of_heads(kind):
    units, activation = HEADS[kind]
    found, answer = shared_out(small(pooled(units, activation)))
    for row, item in enumerate(found):
        own = int(answer["outputs"][row].argmax())
        assert item.explained.class_index == item.answer.class_index == own
        assert item.activation == (activation or "linear")
        assert item.explained.logit == pytest.approx(answer["logits"][row, own], 1e-4)
        change = item.reconstruction.logit - item.contributions.baseline
        assert item.contributions.change == pytest.approx(change, rel=1e-3, abs=1e-3)
        total = sum(part.contribution for part in item.parts)
        assert total == pytest.approx(item.contributions.filters, abs=1e-4)
    last, _ = shared_out(small(pooled(units, activation)), class_index=units - 1)
    assert all(item.explained.class_index == units - 1 for item in last)


@pytest.mark.one_backend
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_contributions_with_other_channels(channels):
    found, _ = shared_out(small(pooled(3, "softmax"), channels))
    assert all(item.contributions is not None for item in found)


NONE = {
    "no head": (lambda x: x, "no head on its last target 'high'"),
    "no logits": (pooled(3, "tanh"), "no logits"),
    "a map": (
        lambda x: keras.layers.Conv2D(5, 1, activation="softmax", **ZEROS)(x),
        "one list of classes is needed",
    ),
}


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", NONE)
def test_no_contributions_and_why(kind):
    top, reason = NONE[kind]
    found, _ = shared_out(small(top))
    for item in found:
        assert item.contributions is None
        assert reason in item.no_contributions
        assert item.parts[0].contribution is None
        assert item.warnings == ()
        assert f"no contributions: {item.no_contributions}" in item.table()
    if kind != "no logits":
        with pytest.raises(ConfigError, match=f"no class to explain.*{reason}"):
            shared_out(small(top), class_index=0)


@pytest.mark.one_backend
def test_a_label_that_is_not_known():
    with pytest.raises(ConfigError, match=r"has no labels.*give its index"):
        shared_out(small(pooled(2, "softmax")), class_index="cat")
    with pytest.raises(ConfigError, match="2 classes with the label 'a'"):
        shared_out(small(pooled(2, "softmax")), class_index="a", labels=["a", "a"])


@pytest.mark.one_backend
def test_several_outputs():
    """The first classifier by default, any other by its name."""

    def top(x):
        x = keras.layers.GlobalAveragePooling2D()(x)
        where = keras.layers.Dense(4, name="where", **ZEROS)(x)
        kind = keras.layers.Dense(3, activation="softmax", name="kind", **ZEROS)(x)
        return [where, kind]

    found, answer = shared_out(small(top))
    assert found.output == "kind"
    assert found[0].activation == "softmax"
    assert answer["outputs"].shape == (2, 3)
    other, answer = shared_out(small(top), output="where", class_index=3)
    assert other.output == "where"
    assert other[0].activation == "linear"
    assert other[0].explained.score == pytest.approx(answer["outputs"][0, 3], 1e-4)
    with pytest.raises(TeacherError, match=r"no output 'kinds'.*kind"):
        shared_out(small(top), output="kinds")


@pytest.mark.one_backend
def test_models_without_a_feature_map_are_refused():
    """The message says what is supported."""
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 8, 8, name="patches", **ZEROS)(image)
    x = keras.layers.Reshape((16, 8))(x)
    x = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = keras.layers.Dense(3, activation="softmax")(x[:, 0])
    transformer = keras.Model(image, x, name="transformer")
    for tap in (None, "attention"):
        with pytest.raises(TeacherError, match="feature map") as error:
            Teacher(transformer, tap)
        assert "convolution" in str(error.value)
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(3, activation="softmax", **ZEROS)(x)
    with pytest.raises(TeacherError, match=r"no convolution.*convolutional teacher"):
        Teacher(keras.Model(image, x, name="perceptron"))
