"""The warm start: relevance, choice of filters, and the tracks that it leaves."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from reference.equivariance_error import equivariance_error as slow_error
from test_case import to_numpy

from keras_explainer.datasets.views import ViewSpec
from keras_explainer.explainer import equivariance_error as module
from keras_explainer.explainer.encoder import Encoder
from keras_explainer.explainer.equivariance_error import (
    directions_followed,
    equivariance_error,
    equivariance_sums,
)
from keras_explainer.explainer.relevance import relevance
from keras_explainer.explainer.warm_start import (
    principal_directions,
    spherical_kmeans,
    start_detectors,
    start_ordinary,
)


def test_error_equals_the_reference() -> None:
    random = np.random.default_rng(0)
    maps = random.random((5, 3, 4, 7, 6))
    boxes = ViewSpec(count=3, seed=2).boxes(0, 5)
    np.testing.assert_allclose(
        equivariance_error(maps, boxes), slow_error(maps, boxes), rtol=1e-6
    )


def test_error_is_additive_over_images() -> None:
    random = np.random.default_rng(1)
    maps = random.random((6, 2, 5, 5, 3))
    boxes = ViewSpec(count=2).boxes(0, 6)
    parts = [equivariance_sums(maps[i : i + 2], boxes[i : i + 2]) for i in (0, 2, 4)]
    whole = equivariance_sums(maps, boxes)
    for index in (0, 1):
        np.testing.assert_allclose(sum(p[index] for p in parts), whole[index])


def test_error_of_a_single_view_is_infinite() -> None:
    maps = np.random.default_rng(0).random((3, 1, 4, 4, 2))
    assert np.isinf(equivariance_error(maps, ViewSpec(count=1).boxes(0, 3))).all()


def test_directions_are_followed_as_their_maps_are(monkeypatch: Any) -> None:
    random = np.random.default_rng(2)
    features = random.normal(size=(5, 3, 4, 7, 6))
    directions = random.normal(size=(8, 6))
    boxes = ViewSpec(count=3, seed=2).boxes(0, 5)
    # Two images at a time, and one at last.
    monkeypatch.setattr(module, "MOST_ANSWERS", 2 * 3 * 4 * 7 * 8)
    points, error = directions_followed(directions, features, boxes)
    maps = features @ directions.T
    np.testing.assert_allclose(error, slow_error(maps, boxes), rtol=1e-6)
    for image in range(5):
        for one in range(8):
            there = np.unravel_index(maps[image, 0, ..., one].argmax(), (4, 7))
            assert tuple(points[image, one]) == there


def test_relevance_is_gradient_times_activation(small_teacher: Any) -> None:
    random = np.random.default_rng(0)
    tap = random.random((3, *small_teacher.tap_shape)).astype("float32")
    found = relevance(small_teacher, tap, batch_size=2)
    assert found.shape == tap.shape[:3]

    def answer(features: np.ndarray) -> np.ndarray:
        target = small_teacher.upper(ops.convert_to_tensor(features))
        logits = small_teacher.head(target[small_teacher.targets[-1]])["logits"]
        return ops.convert_to_numpy(logits).max(-1)

    # The derivative along the activations of one cell, by central differences.
    step = 1e-3
    for row, column in ((0, 0), (2, 3), (5, 6)):
        up, down = tap.copy(), tap.copy()
        up[:, row, column] *= 1 + step
        down[:, row, column] *= 1 - step
        slope = (answer(up) - answer(down)) / (2 * step)
        np.testing.assert_allclose(found[:, row, column], slope, rtol=0.05, atol=2e-3)


def test_kmeans_finds_separate_directions() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(3, 8, dtype="float32")
    vectors = np.repeat(centres, 40, axis=0) * random.uniform(0.5, 3, (120, 1))
    vectors = (vectors + random.normal(0, 0.02, vectors.shape)).astype("float32")
    found = spherical_kmeans(vectors, 3, np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert {int(row.argmax()) for row in found} == {0, 1, 2}


def test_kmeans_with_more_clusters_than_vectors() -> None:
    found = spherical_kmeans(np.eye(2, 4, dtype="float32"), 5, np.random.default_rng(0))
    assert found.shape == (5, 4)
    assert np.isfinite(found).all()


def test_principal_directions_past_the_channels_have_both_signs() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    found = principal_directions(vectors, 6)
    np.testing.assert_allclose(found[3:], -found[:3], atol=1e-6)


def test_principal_directions_of_fewer_vectors_than_channels() -> None:
    """Also where the vectors have less to show than directions are asked for."""
    random = np.random.default_rng(0)
    for vectors, count in (
        (random.normal(size=(20, 50)), 7),
        (random.normal(size=(20, 3)) @ random.normal(size=(3, 50)), 7),
    ):
        found = principal_directions(vectors.astype("float32"), count)
        np.testing.assert_allclose(found @ found.T, np.eye(count), atol=1e-5)
        _, spread, expected = np.linalg.svd(vectors - vectors.mean(0))
        shown = int((spread > 1e-6).sum())
        agreement = np.abs((found * expected[:count]).sum(1))
        np.testing.assert_allclose(agreement[:shown], 1, atol=1e-4)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A mark in channel 0 that moves with the image, over noise in the others."""
    random = np.random.default_rng(seed)
    images, views, side, channels = 24, 3, 9, 4
    boxes = ViewSpec(count=views, smallest=0.8, seed=seed).boxes(0, images)
    features = random.random((images, views, side, side, channels)).astype("float32")
    features[..., 0] = 0
    for n in range(images):
        point = random.uniform(0.3, 0.7, 2)
        for v in range(views):
            top, left, tall, wide, flipped = boxes[n, v]
            y, x = (point[0] - top) / tall, (point[1] - left) / wide
            x = 1 - x if flipped else x
            row, column = (int(np.clip(q * side, 0, side - 1)) for q in (y, x))
            features[n, v, row, column, 0] = 6.0
    return features, boxes


@pytest.mark.parametrize("weighted", [False, True])
def test_filters_that_follow_the_image_are_chosen(weighted: bool) -> None:
    features, boxes = scene(0)
    encoder = Encoder(3)
    encoder.build((None, *features.shape[2:]))
    weights = features[..., 0] if weighted else None
    random = np.random.default_rng(0)
    start_detectors(encoder.conv_1, encoder.conv_2, features, boxes, random, weights)
    flat = ops.convert_to_tensor(features.reshape(-1, *features.shape[2:]))
    maps = ops.convert_to_numpy(encoder.conv_1.activation(flat))
    maps = maps.reshape(*features.shape[:2], *maps.shape[1:])
    error = equivariance_error(maps, boxes)
    # Noise is a third of a map apart; the mark is followed to a cell or two. Most
    # clusters are of noise, unless the mark's cells are said to be relevant.
    assert error.min() < 0.2
    assert not weighted or error.max() < 0.2
    silent = (maps <= 0).mean(axis=(0, 1, 2, 3))
    np.testing.assert_allclose(silent, 0.7, atol=0.02)


def test_the_second_layer_starts_as_the_first() -> None:
    features, boxes = scene(1)
    encoder = Encoder(3)
    encoder.build((None, *features.shape[2:]))
    random = np.random.default_rng(0)
    start_detectors(encoder.conv_1, encoder.conv_2, features, boxes, random)
    outputs = encoder(ops.convert_to_tensor(features[:4, 0]), training=False)
    masked = encoder.conv_1.part_mask(outputs["maps_1"])
    np.testing.assert_allclose(
        ops.convert_to_numpy(outputs["maps"]), ops.convert_to_numpy(masked), atol=1e-5
    )


@pytest.mark.one_backend
def test_a_channel_that_is_dead_here_is_not_blown_up():
    """The ordinary track of an image in which it fires stays of the others' size."""
    random = np.random.default_rng(0)
    features = np.maximum(random.normal(size=(6, 2, 5, 5, 8)), 0).astype("float32")
    features[..., 3] = 0
    conv = keras.layers.Conv2D(8, 1, activation="relu")
    conv.build((None, 5, 5, 8))
    start_ordinary(conv, features, random)
    usual = to_numpy(conv(features[:, 0])).max()
    features[0, 0, 2, 2, 3] = features.max()
    assert to_numpy(conv(features[:, 0])).max() < 2 * usual
