"""DeadFilters against the count of the map-based figures."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics import DeadFilters, PartMapFigures


def stream(metric, maps, size=20):
    for start in range(0, len(maps), size):
        metric.update_state(maps[start : start + size])
    return float(metric.result())


def test_equals_figures(scene):
    maps, _, size = scene
    figures = PartMapFigures()
    figures.update(maps)
    result = figures.result(None, size)
    expected = result["dead_filters"] / result["filters"]
    assert stream(DeadFilters(), maps, 500) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("images", [100, 200, 300, 700, 1100])
def test_silent_on_exactly_99_percent_is_live(images):
    maps = np.zeros((images, 1, 2, 3), "float32")
    loud = images // 100
    maps[:loud, 0, 1, 0] = 1
    maps[: loud - 1, 0, 1, 1] = 1
    assert stream(DeadFilters(), maps, 100) == pytest.approx(2 / 3)


def test_share():
    maps = np.zeros((10, 1, 1, 2))
    maps[:5, ..., 0] = 1
    assert stream(DeadFilters(share=0.5), maps) == 0.5
    assert stream(DeadFilters(share=0.4), maps) == 1


def test_sample_weight():
    maps = np.zeros((2, 1, 1, 1))
    maps[0] = 1
    metric = DeadFilters()
    metric.update_state(maps, sample_weight=[0.0, 3.0])
    assert float(metric.result()) == 1


def test_reset_and_empty():
    metric = DeadFilters()
    assert math.isnan(float(metric.result()))
    assert stream(metric, np.zeros((3, 2, 2, 4))) == 1
    metric.reset_state()
    assert math.isnan(float(metric.result()))
    assert stream(metric, np.ones((3, 2, 2, 4))) == 0


def test_bad_input():
    metric = DeadFilters()
    with pytest.raises(DataError, match=r"\(images, height, width, filters\)"):
        metric.update_state(np.ones((3, 4)))
    metric.update_state(np.ones((3, 2, 2, 4)))
    with pytest.raises(DataError, match=r"4 filters.*\(3, 2, 2, 5\)"):
        metric.update_state(np.ones((3, 2, 2, 5)))
    for options in ({"filters": 0}, {"share": 1.0}, {"share": -0.1}):
        with pytest.raises(ConfigError):
            DeadFilters(**options)


@pytest.mark.parametrize("filters", [None, 4])
def test_in_evaluate(compile_options, filters):
    """The maps are the model's output; the target is not used."""
    maps = np.random.default_rng(0).uniform(0, 1, (21, 3, 5, 4)).astype("float32")
    maps[..., 2] = 0
    model = keras.Sequential([keras.Input((3, 5, 4)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[DeadFilters(filters)], **compile_options)
    for _ in range(2):
        logs = model.evaluate(
            maps, np.ones_like(maps), batch_size=8, verbose=0, return_dict=True
        )
        assert logs["dead_filters"] == 0.25


def test_half_precision():
    metric = DeadFilters(dtype="float16")
    maps = np.zeros((3000, 1, 1, 1), "float16")
    maps[:40] = 6e-8
    assert stream(metric, maps, 500) == 0
    assert {variable.dtype for variable in metric.variables} == {"float32"}


def test_serialisation():
    metric = DeadFilters(filters=3, share=0.9, name="own")
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == "keras_explainer>DeadFilters"
    copy = keras.metrics.deserialize(config)
    assert copy.get_config() == metric.get_config()
    assert copy.direction == "down"
