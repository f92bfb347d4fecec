"""A filter's position goes with the image: one stride, one cell."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from keras_explainer.explainer import Recipe  # noqa: E402
from keras_explainer.explainer.encoder import Encoder  # noqa: E402
from keras_explainer.metrics import positions  # noqa: E402

SIDE, CHANNELS, STRIDE = 17, 5, 8
IMAGE = (SIDE * STRIDE, SIDE * STRIDE)


@pytest.fixture(scope="module")
def encoder():
    made = Encoder.from_recipe(Recipe(), 6, 0, "float32")
    made.build((None, SIDE, SIDE, CHANNELS))
    return made


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    shift=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    cells=st.integers(1, 6),
)
def test_positions_move_with_the_features(encoder, seed, shift, cells):
    """Features of a thing on an empty ground, and of the same some strides away."""
    random = np.random.default_rng(seed)
    features = np.zeros((2, SIDE, SIDE, CHANNELS), "float32")
    middle = slice(SIDE // 2 - 3, SIDE // 2 + 3)
    thing = random.random((6, 6, CHANNELS)) * (random.random((6, 6, 1)) < cells / 6)
    features[0, middle, middle] = thing
    features[1] = np.roll(features[0], shift, (0, 1))
    outputs = encoder(ops.convert_to_tensor(features), training=False)
    for name in ("maps_1", "maps"):
        found = positions(ops.convert_to_numpy(outputs[name]), IMAGE)
        live = ~found.silent.any(0)
        moved = found.pixels[1, live] - found.pixels[0, live]
        # Two peaks that are equal but for rounding may change places.
        maps = ops.convert_to_numpy(outputs[name])[0].reshape(-1, 6)[:, live]
        top = np.sort(maps, axis=0)[-2:]
        clear = top[1] - top[0] > 1e-4 * np.abs(top[1])
        expected = STRIDE * np.array(shift, float)
        np.testing.assert_allclose(moved[clear], expected[None].repeat(clear.sum(), 0))


def test_the_test_can_fail(encoder):
    """Filters that always fire at one place do not move."""
    features = np.zeros((2, SIDE, SIDE, CHANNELS), "float32")
    features[:, 8, 8] = 1
    outputs = encoder(ops.convert_to_tensor(features), training=False)
    found = positions(ops.convert_to_numpy(outputs["maps_1"]), IMAGE)
    live = ~found.silent.any(0)
    assert live.any()
    assert (found.pixels[1] == found.pixels[0]).all()
