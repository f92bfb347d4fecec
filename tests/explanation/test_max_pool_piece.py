"""Max-pools between two points: a linear map that joins them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from keras_explainer.explanation.max_pool_piece import MaxPoolPiece
from keras_explainer.teachers.networks import CeilMaxPooling2D

LAYERS = {
    "VGG": lambda: keras.layers.MaxPooling2D(2),
    "overlapping": lambda: keras.layers.MaxPooling2D(3, 2),
    "same": lambda: keras.layers.MaxPooling2D((3, 2), (2, 1), padding="same"),
    "gaps": lambda: keras.layers.MaxPooling2D((1, 2), 3),
    "Caffe's": lambda: CeilMaxPooling2D(3, 2),
}


def points(decimals: int) -> tuple[np.ndarray, np.ndarray]:
    """Two of 3 maps of 7 x 6 x 4; with no decimals, many cells are equal."""
    random = np.random.default_rng(0)
    low, high = random.normal(size=(2, 3, 7, 6, 4)).round(decimals)
    return low.astype("float32"), high.astype("float32")


def array(value) -> np.ndarray:
    return ops.convert_to_numpy(value)


@pytest.mark.parametrize("decimals", [0, 6])
@pytest.mark.parametrize("name", LAYERS)
def test_it_takes_one_point_to_the_other(name: str, decimals: int) -> None:
    layer = LAYERS[name]()
    low, high = points(decimals)
    piece = MaxPoolPiece(layer)
    secant = piece.secant(ops.convert_to_tensor(low), ops.convert_to_tensor(high))
    expected = array(layer(high)) - array(layer(low))
    assert np.abs(expected).max() > 1
    found = array(piece.linear(ops.convert_to_tensor(high - low), secant))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    weights = array(secant)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)


@pytest.mark.one_backend
def test_weights_are_those_of_integrated_gradients_between_two_cells() -> None:
    """Of windows of two cells, by a hundred thousand points of the way."""
    random = np.random.default_rng(1)
    low, high = random.normal(size=(2, 50, 1, 2, 1)).astype("float32")
    piece = MaxPoolPiece(keras.layers.MaxPooling2D((1, 2)))
    found = array(piece.secant(ops.convert_to_tensor(low), ops.convert_to_tensor(high)))
    t = (np.arange(100_000) + 0.5) / 100_000
    way = low[:, 0, :, 0, None] + t * (high - low)[:, 0, :, 0, None]
    leads = np.eye(2)[way.argmax(1)].mean(1)
    assert 5 < ((leads[:, 0] > 0) & (leads[:, 0] < 1)).sum() < 45
    np.testing.assert_allclose(found[:, 0, 0, 0], leads, atol=2e-5)


@pytest.mark.one_backend
def test_no_way_at_all() -> None:
    low, _ = points(0)
    piece = MaxPoolPiece(keras.layers.MaxPooling2D(2))
    secant = array(piece.secant(ops.convert_to_tensor(low), ops.convert_to_tensor(low)))
    np.testing.assert_array_equal(secant.sum(-1), 1)
