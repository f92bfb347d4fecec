"""Separation loss: minus the information between filter and place in an image."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from reference import filter_loss
from reference import separation as reference
from test_case import compiled, examples, gradient, noise, to_numpy

from keras_explainer.losses import separation_loss


def value(maps, sharpness=2.0):
    function = compiled(lambda x: separation_loss(x, sharpness))
    return float(to_numpy(function(ops.convert_to_tensor(maps))))


def relu_maps(shape, seed=0):
    return np.maximum(noise(shape, seed), 0)


@pytest.mark.parametrize("sharpness", [1.0, 2.0, 8.0])
@pytest.mark.parametrize(
    "shape", [(3, 5, 7, 4), (2, 1, 6, 3), (2, 1, 1, 3), (1, 4, 3, 1)]
)
def test_equals_reference(shape, sharpness):
    maps = relu_maps(shape)
    if shape[0] > 1:
        maps[0, ..., 1] = 0
        maps[1] = 0
    expected = reference.separation_loss(maps, sharpness)
    assert value(maps, sharpness) == pytest.approx(expected, rel=1e-4, abs=2e-5)


def test_copies_have_none_and_cells_of_ones_own_have_all():
    maps = np.zeros((2, 3, 4, 5), "float32")
    maps[:, 1, 2] = 1.0
    assert value(maps) == pytest.approx(0.0, abs=1e-4)
    for f in range(5):
        maps[:, :, :, f] = 0
        maps[:, f // 4, f % 4, f] = 1.0 + f
    assert value(maps) == pytest.approx(-np.log(5), abs=1e-4)


@settings(max_examples=examples(40), deadline=None)
@given(
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([1e-3, 1.0, 1e4]),
    filters=st.sampled_from([1, 4, 30]),
    sparse=st.sampled_from([0.0, 0.9, 1.0]),
)
def test_bounds_and_freedom_of_scale(seed, scale, filters, sparse):
    random = np.random.default_rng(seed)
    maps = relu_maps((2, 3, 4, filters), seed) * np.float32(scale)
    maps = (maps * (random.random(maps.shape) >= sparse)).astype("float32")
    found = value(maps)
    assert -np.log(min(filters, 12)) - 1e-4 <= found <= 1e-4
    assert value(maps * 7) == pytest.approx(found, abs=1e-4)
    assert value(maps[..., random.permutation(filters)]) == pytest.approx(
        found, abs=1e-4
    )


def test_gradient_equals_finite_differences():
    maps = (np.abs(noise((2, 3, 4, 3))) + 0.1).astype("float32")
    found = gradient(separation_loss, maps)
    expected = filter_loss.numerical_gradient(reference.separation_loss, maps)
    # The maximum that a map is divided by cancels out.
    np.testing.assert_allclose(
        found, expected, rtol=5e-3, atol=5e-3 * np.abs(expected).max()
    )


@pytest.mark.parametrize("sharpness", [2.0, 8.0])
def test_gradient_is_finite_also_of_silence(sharpness):
    maps = relu_maps((3, 4, 5, 4))
    maps[..., 1] = 0
    maps[0] = 0
    found = gradient(lambda x: separation_loss(x, sharpness), maps)
    assert np.isfinite(found).all()
    assert (found[0] == 0).all() and (found[..., 1] == 0).all()
    assert np.abs(found[1:, ..., 0]).max() > 0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_maps_are_computed_in_float32(dtype):
    maps = ops.cast(relu_maps((2, 5, 7, 3)), dtype)
    found = separation_loss(maps)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert float(to_numpy(found)) == pytest.approx(
        reference.separation_loss(to_numpy(maps)), rel=1e-3
    )
