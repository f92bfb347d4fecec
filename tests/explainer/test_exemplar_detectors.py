"""Exemplar detectors against a slow reference, and on a part that is planted."""

from __future__ import annotations

import numpy as np
import pytest

from keras_explainer.explainer.exemplar_detectors import (
    RIDGE,
    ROUNDS,
    exemplar_detectors,
    inverse_covariance,
)

pytestmark = pytest.mark.one_backend


def planted(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one cell in each image that shows a part, and where that is."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(images, 6, 7, 12)).astype("float32")
    # What is frequent and strong: half of the cells share a direction.
    features[..., 0] += 4 * (random.random((images, 6, 7)) < 0.5)
    rows, columns = random.integers(0, 6, images), random.integers(0, 7, images)
    features[np.arange(images), rows, columns, 5:8] += 3
    features -= features.reshape(-1, 12).mean(0)
    return features, rows * 7 + columns


def detectors(features: np.ndarray, weights: np.ndarray, count: int, seed: int = 0):
    """Of images that are their own background."""
    random = np.random.default_rng(seed)
    inverse = inverse_covariance(features, random)
    return exemplar_detectors(features, inverse, weights, count, random)


def even(features: np.ndarray) -> np.ndarray:
    return np.full(features.shape[:3], 1 / features[..., 0].size)


def test_equals_reference():
    features, _ = planted(14)
    background, _ = planted(5, seed=2)
    rim = np.ones((6, 7), bool)
    rim[1:-1, 1:-1] = False
    cells = features.reshape(14, -1, 12).astype("float64")
    flat = cells.reshape(-1, 12)
    random = np.random.default_rng(3)
    first = random.choice(len(flat), 4, p=even(features).reshape(-1))
    covariance = np.zeros((12, 12))
    for part in (background[:, rim], background[:, ~rim]):
        part = part.reshape(-1, 12).astype("float64")
        covariance += 0.5 * part.T @ part / len(part)
    covariance += RIDGE * np.trace(covariance) / 12 * np.eye(12)
    expected = []
    for start in first:
        wanted = flat[start]
        for _ in range(ROUNDS):
            direction = np.linalg.solve(covariance, wanted)
            answers = cells @ direction
            sure = np.argsort(-answers.max(1))[:8]
            wanted = np.mean([cells[n, answers[n].argmax()] for n in sure], axis=0)
        direction = np.linalg.solve(covariance, wanted)
        expected.append(direction / np.linalg.norm(direction))
    random = np.random.default_rng(3)
    inverse = inverse_covariance(background, random)
    found = exemplar_detectors(features, inverse, even(features), 4, random)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_planted_part_is_found():
    features, cell = planted(60)
    weights = np.zeros((60, 42))
    # Half of the detectors begin anywhere, half at the part.
    weights += 0.5 / weights.size
    weights[np.arange(60), cell] += 0.5 / 60
    found = detectors(features, weights.reshape(60, 6, 7), 30)
    others, there = planted(60, seed=1)
    answers = others.reshape(60, -1, 12) @ found.T
    right = (answers.argmax(1) == there[:, None]).mean(0)
    assert np.mean(right > 0.7) > 0.4


def test_weights_say_where_detectors_begin():
    features, cell = planted(60)
    weights = np.zeros((60, 42))
    weights[np.arange(60), cell] = 1 / 60
    found = detectors(features, weights.reshape(60, 6, 7), 10)
    assert (found[:, 5:8].sum(1) > 0.8).all()


@pytest.mark.parametrize("images", [1, 3])
def test_few_images_and_features_that_are_all_alike(images):
    features = np.zeros((images, 2, 2, 5), "float32")
    found = detectors(features, even(features), 6)
    assert found.shape == (6, 5)
    assert np.isfinite(found).all()
