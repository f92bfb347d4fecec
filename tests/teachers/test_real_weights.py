"""The real ImageNet MobileNet, where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_explainer.teachers import Teacher

ROOT = Path(__file__).resolve().parents[2]
FOLDER = (
    Path(os.environ.get("KERAS_EXPLAINER_SHARED", ROOT.parent / "shared"))
    / "animalparts"
)
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (FOLDER / "mobilenet_075_224.weights.h5").exists(),
        reason="KERAS_EXPLAINER_SHARED has no animalparts/",
    ),
]


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher.from_applications(
        "MobileNet",
        alpha=0.75,
        weights=FOLDER / "mobilenet_075_224.weights.h5",
        tap="conv_pw_11_relu",
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    files = sorted((FOLDER / "images").rglob("*.jpg"))[:3]
    files = files or sorted((FOLDER / "images").rglob("*.JPEG"))[:3]
    return np.stack(
        [np.asarray(Image.open(f).convert("RGB").resize((224, 224))) for f in files]
    )


def test_facts(teacher: Teacher) -> None:
    assert teacher.tap_shape == (14, 14, 384)
    assert teacher.target_shapes == {"conv_pw_13_relu": (7, 7, 768)}
    assert teacher.geometry.stride == (16.0, 16.0)
    assert teacher.num_outputs == 1000
    assert teacher.logits_activation == "softmax"
    by_position = Teacher(teacher.model, preprocessing="tf")
    assert by_position.tap == "conv_pw_11_relu"
    assert by_position.fingerprint == teacher.fingerprint


def test_features_and_head_give_the_networks_answer(
    teacher: Teacher, images: np.ndarray
) -> None:
    inputs = keras.applications.mobilenet.preprocess_input(images.astype("float32"))
    expected = teacher.model.predict(inputs, verbose=0)
    tap, targets = teacher.extract(images)
    assert tap.shape == (3, 14, 14, 384)
    assert 0 <= tap.min() < tap.max() <= 6
    head = teacher.head(targets["conv_pw_13_relu"])
    for found in (
        teacher.classify(images)["outputs"],
        keras.ops.convert_to_numpy(head["outputs"]),
        keras.ops.convert_to_numpy(keras.ops.softmax(head["logits"])),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert expected.max(1).mean() > 0.1
    copied = teacher.copy_upper()(tap, training=False)["conv_pw_13_relu"]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(copied), targets["conv_pw_13_relu"], atol=1e-3
    )
