"""Teachers of all kinds: each has a defined answer or none."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_explainer.explainer import Explainer
from keras_explainer.explanation import explain, explanation_picture
from keras_explainer.teachers import Teacher


@pytest.fixture(scope="module")
def archetypes():
    path = Path(__file__).parents[1] / "teachers" / "archetypes.py"
    spec = importlib.util.spec_from_file_location("archetypes_of_teachers", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KINDS = ["grey", "five_channels", "squeeze_excite", "two_answers"]


@pytest.mark.parametrize("name", KINDS + ["headless"])
def test_archetypes(name, archetypes):
    model = archetypes.build(name)
    teacher = Teacher(
        model,
        archetypes.TAP[name],
        archetypes.TARGETS[name],
        preprocessing=archetypes.PREPROCESSING[name],
    )
    images = archetypes.images(name, 3)
    explainer = Explainer(teacher, filters=4, decoder="conv")
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


def small(top):
    x = image = keras.Input((16, 12, 3))
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
    found = explain(Explainer(teacher, filters=3, decoder="conv"), images, verbose=0)
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
