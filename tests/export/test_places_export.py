"""An explainer with places: the file tells of places, as the explanation in Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_teacher import make_images, make_teacher

from keras_explainer.explainer import Explainer
from keras_explainer.export import saved_model

pytestmark = pytest.mark.tensorflow

PLACES = 3


@pytest.fixture(scope="module")
def grouped():
    settings = {"filters": 6, "places": PLACES, "decoder": "conv"}
    explainer = Explainer(make_teacher(), recipe="places", **settings)
    explainer.statistics.started.assign(1.0)
    explainer.measure_tracks(make_images(16))
    return explainer


def test_the_file_tells_of_places(grouped, images, tmp_path):
    import tensorflow as tf

    folder = saved_model(grouped, tmp_path / "m", part_count=8, part_names={1: "ear"})
    loaded = tf.saved_model.load(str(folder))
    found = loaded.signatures["explain_contributions"](
        images=tf.constant(images, "float32"), class_index=tf.constant([-1] * 3)
    )
    expected = grouped.explain(images, part_names={1: "ear"}, verbose=0)
    assert found["part_filters"].shape == (3, PLACES)
    for row, item in enumerate(expected):
        for at, filter in enumerate(found["part_filters"][row].numpy().tolist()):
            part = item.part(filter)
            assert found["part_strengths"][row, at].numpy() == pytest.approx(
                part.strength, rel=1e-4
            )
            assert found["part_contributions"][row, at].numpy() == pytest.approx(
                part.contribution, rel=1e-3, abs=1e-5
            )
            np.testing.assert_allclose(
                found["part_positions"][row, at], part.position or (-1, -1)
            )
            name = found["part_names"][row, at].numpy().decode()
            assert name == ("ear" if filter == 1 else "")
    maps = loaded.signatures["part_maps"](images=tf.constant(images, "float32"))
    assert maps["part_maps"].shape[-1] == 6
    told = json.loads(
        loaded.signatures["describe"](requests=tf.constant([""]))["description"][
            0
        ].numpy()
    )
    assert told["filters"] == PLACES


@pytest.mark.slow
def test_the_file_is_verified(verified, grouped, tmp_path):
    saved_model(grouped, tmp_path / "m")
