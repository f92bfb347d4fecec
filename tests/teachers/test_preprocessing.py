"""Preprocessing equals Keras' own, for every network of keras.applications."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.applications import (
    application_names,
    preprocessing_mode,
)
from keras_explainer.teachers.preprocessing import MODES, Preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype("uint8")


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_modes_equal_imagenet_utils(mode: str) -> None:
    expected = keras.applications.imagenet_utils.preprocess_input(
        IMAGES.astype("float32"), mode=mode
    )
    found = keras.ops.convert_to_numpy(Preprocessing(mode)(IMAGES))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_others() -> None:
    identity = keras.ops.convert_to_numpy(Preprocessing()(IMAGES))
    assert identity.dtype == np.float32
    np.testing.assert_array_equal(identity, IMAGES)
    unit = keras.ops.convert_to_numpy(Preprocessing("unit")(IMAGES))
    np.testing.assert_allclose(unit, IMAGES / 255.0, atol=1e-6)


@pytest.mark.parametrize("name", application_names())
def test_mode_of_every_network(name: str) -> None:
    mode = preprocessing_mode(name)
    module = inspect.getmodule(getattr(keras.applications, name))
    images = np.random.default_rng(1).uniform(0, 255, (1, 3, 5, 3)).astype("float32")
    expected = module.preprocess_input(images.copy())
    found = keras.ops.convert_to_numpy(Preprocessing(mode)(images))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_all_but_unit_are_in_use() -> None:
    modes = {preprocessing_mode(name) for name in application_names()}
    assert modes == set(MODES) - {"unit"}
    assert preprocessing_mode("MobileNet") == "tf"
    assert preprocessing_mode("VGG16") == "caffe"
    assert preprocessing_mode("DenseNet121") == "torch"
    assert preprocessing_mode("EfficientNetB0") == "identity"


def small() -> keras.Model:
    image = keras.Input((12, 10, 3))
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv1")(image)
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv2")(x)
    model = keras.Model(image, x)
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def test_a_layer_of_the_users() -> None:
    layer = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 16.0])
    layer.build((None, None, None, 3))
    model = small()
    teacher = Teacher(model, "conv1", ["conv2"], preprocessing=layer)
    images = np.random.default_rng(0).uniform(0, 255, (2, 12, 10, 3)).astype("float32")
    expected = (images - [1, 2, 3]) / [2, 3, 4]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(teacher.preprocess(images)), expected, atol=1e-5
    )
    np.testing.assert_allclose(
        teacher.extract(images)[1]["conv2"],
        keras.ops.convert_to_numpy(model(expected.astype("float32"))),
        rtol=1e-4,
        atol=1e-3,
    )
    plain = Teacher(model, "conv1", ["conv2"])
    assert plain.fingerprint != teacher.fingerprint
    assert teacher.card()["preprocessing"] == "layer"


def test_random_layers_are_off() -> None:
    """An augmenting layer as preprocessing does nothing, also in a training step."""
    layer = keras.layers.Dropout(0.9)
    teacher = Teacher(small(), "conv1", ["conv2"], preprocessing=layer)
    images = IMAGES[:, :1, :1].repeat(12, 1).repeat(10, 2)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(teacher.preprocess(images)), images
    )


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("tff", r"Unknown preprocessing 'tff'. Nearest valid: tf"),
        (lambda x: x, r"got function.*Lambda"),
        (None, r"got NoneType"),
    ],
)
def test_what_is_no_preprocessing(given, text: str) -> None:
    with pytest.raises(TeacherError, match=text):
        Teacher(small(), "conv1", preprocessing=given)


def test_colour_modes_need_three_channels() -> None:
    image = keras.Input((12, 10, 1))
    x = keras.layers.Conv2D(2, 3, activation="relu")(image)
    model = keras.Model(image, keras.layers.Conv2D(2, 3, activation="relu")(x))
    for mode in ("torch", "caffe"):
        with pytest.raises(TeacherError, match="for 3 channels"):
            Teacher(model, preprocessing=mode)
    assert Teacher(model, preprocessing="tf").input_shape == (12, 10, 1)
