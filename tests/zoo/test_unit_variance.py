"""Fresh networks without normalisation begin with answers in the size of one."""

from __future__ import annotations

import archetypes
import keras
import numpy as np
import pytest
from keras_explainer.zoo.unit_variance import start_unit_variance
from test_case import to_numpy

from keras_explainer.teachers import Teacher
from keras_explainer.teachers.networks.alexnet import AlexNet

SIDE = 99


def sizes(teacher: Teacher, images: np.ndarray) -> dict[str, float]:
    """Mean square of what each layer with a kernel answers, by its name."""
    model = teacher.model
    layers = [x for x in model.layers if hasattr(x, "kernel")]
    probe = keras.Model(model.inputs, {x.name: x.output for x in layers})
    found = probe.predict(to_numpy(teacher.preprocess(images)), verbose=0)
    return {name: float(np.square(value).mean()) for name, value in found.items()}


@pytest.mark.one_backend
def test_fresh_layers_answer_in_the_size_of_one() -> None:
    """Of the images they were scaled by; the last layer, a softmax, stays."""
    network = AlexNet(input_shape=(SIDE, SIDE, 3), classes=3, alpha=0.1)
    teacher = Teacher(network, "conv5", ["fc6"], preprocessing="identity")
    pixels = np.random.default_rng(0).integers(0, 256, (12, SIDE, SIDE, 3), "uint8")
    before = sizes(teacher, pixels)
    answer = network.get_layer("fc8").get_weights()
    start_unit_variance(teacher, pixels)
    after = sizes(teacher, pixels)
    last = after.pop("fc8")
    assert after == pytest.approx(dict.fromkeys(after, 0.5), rel=1e-3)
    assert max(before[name] for name in after) > 5 and last < 1
    for mine, theirs in zip(
        network.get_layer("fc8").get_weights(), answer, strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.one_backend
def test_networks_that_normalise_start_as_they_are() -> None:
    teacher = Teacher(
        archetypes.build("residual"),
        "block2_out",
        ["block3_out"],
        preprocessing="caffe",
    )
    before = teacher.model.get_weights()
    start_unit_variance(teacher, archetypes.images("residual", 4))
    for mine, theirs in zip(teacher.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
