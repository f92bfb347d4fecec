"""Teachers at the edges: half precision, a map of one cell, thousands of channels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from quick import learned
from small_teacher import make_images

from keras_explainer.errors import DataError, KerasExplainerError
from keras_explainer.teachers import Teacher

pytestmark = pytest.mark.one_backend
SHAPE = (24, 32, 3)


def model(
    stride: int = 4, channels: int = 12, dtype: str | None = None, gain: float = 1.0
) -> keras.Model:
    """A stem of one convolution (`tap`), a second one (`top`), five classes."""
    given: dict[str, Any] = {"padding": "same", "activation": "relu", "dtype": dtype}
    x = image = keras.Input(SHAPE)
    x = layers.Conv2D(channels, 3, stride, name="tap", **given)(x)
    x = layers.Conv2D(16, 1, name="top", **given)(x)
    x = layers.GlobalAveragePooling2D(name="gap", dtype=dtype)(x)
    made = keras.Model(image, layers.Dense(5, name="answer", dtype=dtype)(x))
    random = np.random.default_rng(0)
    for weight in made.weights:
        shape = tuple(weight.shape)
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        weight.assign((gain * random.normal(size=shape) * spread).astype("float32"))
    return made


def teacher(**settings: Any) -> Teacher:
    return Teacher(model(**settings), "tap", ["top"], preprocessing="unit")


def check(explained: Any, count: int) -> None:
    """Everything that is claimed of some images is finite and inside them."""
    assert len(explained) == count
    parts = [part for one in explained for part in one.parts]
    assert any(part.position is not None for part in parts)
    for part in parts:
        assert np.isfinite(part.strength) and part.strength >= 0
        assert part.contribution is None or np.isfinite(part.contribution)
        if part.position is not None:
            y, x = part.position
            assert 0 <= y <= SHAPE[0] and 0 <= x <= SHAPE[1]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_teachers_of_half_precision(dtype):
    """Their features are had in float32, learned from, and explained."""
    half, images = teacher(dtype=dtype), make_images(16)
    tap, targets = half.extract(images)
    whole, _ = teacher().extract(images)
    assert tap.dtype == targets["top"].dtype == np.float32
    spread = float(whole.std())
    assert np.abs(tap - whole).max() < 0.1 * spread
    explainer = learned(half, images)
    assert np.isfinite(explainer.history.history["loss"]).all()
    check(explainer.explain(images[:3], verbose=0), 3)


def test_a_teacher_whose_half_precision_overflows_is_refused():
    with pytest.raises(DataError, match="NaN or infinity"):
        learned(teacher(dtype="float16", gain=2000.0), make_images(8))


@pytest.mark.parametrize("settings", [{}, {"recipe": "paper"}, {"decoder": "conv"}])
def test_a_map_of_one_cell(settings):
    """Nothing can be placed in it, and nothing breaks."""
    single, images = teacher(stride=32), make_images(12)
    assert single.tap_shape == (1, 1, 12)
    try:
        explainer = learned(single, images, **settings)
    except KerasExplainerError as error:
        assert "pool_size" in str(error)  # the paper's pooling needs two cells
        return
    assert np.isfinite(explainer.history.history["loss"]).all()
    maps = explainer.predict(images, verbose=0)["part_maps"]
    assert maps.shape == (12, 1, 1, 6) and np.isfinite(maps).all()
    check(explainer.explain(images[:2], verbose=0), 2)


def test_4096_channels():
    wide, images = teacher(stride=8, channels=4096), make_images(12)
    assert wide.tap_shape == (3, 4, 4096)
    explainer = learned(wide, images)
    assert np.isfinite(explainer.history.history["loss"]).all()
    check(explainer.explain(images[:2], verbose=0), 2)


def test_one_image_and_none(fitted, images):
    one = fitted.predict(images[:1], verbose=0)["part_maps"]
    many = fitted.predict(images[:8], verbose=0)["part_maps"]
    np.testing.assert_allclose(one[0], many[0], rtol=1e-4, atol=1e-5)
    # Six filters may all be silent on one image: take one on which some fire.
    firing = int(many.max(axis=(1, 2, 3)).argmax())
    check(fitted.explain(images[firing : firing + 1], verbose=0), 1)
    for ask in (fitted.predict, fitted.evaluate, fitted.explain):
        with pytest.raises(DataError, match="no images"):
            ask(images[:0], verbose=0)
