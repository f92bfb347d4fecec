"""Consensus of detectors against slow references, and on an object that is planted."""

from __future__ import annotations

import numpy as np
import pytest

from keras_explainer.explainer.consensus import (
    MOTIONS,
    SLACK,
    WORTH_POWER,
    common_motion,
    consensus_detectors,
    place_worth,
)

pytestmark = pytest.mark.one_backend


def moving(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Places of one object, of which the last two wander; where the object is."""
    random = np.random.default_rng(seed)
    shift = random.integers(0, 4, (images, 1, 2))
    points = shift + random.integers(0, 5, (1, 8, 2))
    for wandering in (6, 7):
        points[:, wandering] = points[random.permutation(images), 0]
    return points.astype("float32"), shift


def test_common_motion_equals_reference():
    points, _ = moving(30)
    weights = np.linspace(0.2, 1, 8)
    moved = (points - points.mean(0)).reshape(30, 16).astype("float64")
    scaled = moved * np.repeat(weights, 2)
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    kept = vectors[:, np.argsort(-values)[:MOTIONS]]
    expected = points.mean(0) + (kept @ kept.T @ moved).reshape(30, 8, 2)
    np.testing.assert_allclose(common_motion(points, weights), expected, atol=1e-5)


def test_places_of_one_object_are_told_by_each_other():
    points, _ = moving(60)
    # One of six is deceived in a tenth of the images.
    deceived = points.copy()
    deceived[:6, 0] = 0
    weights = np.r_[np.ones(6), np.zeros(2)]
    told = common_motion(deceived, weights)
    right = points[:, 0] - points[:, 0].mean(0)
    error = np.abs(told[:6, 0] - told[:, 0].mean(0) - right[:6]).mean()
    assert error < 0.5 * np.abs(deceived[:6, 0] - points[:6, 0]).mean()


def test_worth_equals_reference():
    points, _ = moving(30)
    error = np.linspace(0.05, 0.4, 8)
    told = common_motion(points)
    ratios = []
    for k in range(8):
        place = points[:, k].astype("float64")
        spread = np.sqrt(place.var(0).sum())
        apart = np.sqrt(np.mean([np.sum(d**2) for d in place - told[:, k]]))
        ratios.append(spread / error[k] / (apart + SLACK))
    expected = (np.array(ratios) / max(ratios)) ** WORTH_POWER
    np.testing.assert_allclose(place_worth(points, error), expected, rtol=1e-5)


def test_what_wanders_is_worth_less_than_parts_as_steady():
    points, _ = moving(60)
    worth = place_worth(points, np.full(8, 0.1))
    assert worth.max() == 1
    assert worth[6:].max() < 0.5 * worth[:6].min()


def test_detectors_are_discriminants_of_what_lies_there():
    points, _ = moving(20)
    random = np.random.default_rng(1)
    features = random.normal(size=(20, 8, 9, 5)).astype("float32")
    square = random.normal(size=(5, 5))
    inverse, worth = (square @ square.T).astype("float32"), np.linspace(0.1, 1, 8)
    told = common_motion(points, worth)
    for k, found in enumerate(consensus_detectors(features, inverse, points, worth)):
        wanted = np.zeros(5)
        for n in range(20):
            row = int(min(max(np.rint(told[n, k, 0]), 0), 7))
            column = int(min(max(np.rint(told[n, k, 1]), 0), 8))
            wanted += features[n, row, column] / 20
        direction = inverse @ wanted
        expected = direction / np.linalg.norm(direction)
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_deceived_detector_is_led_back():
    points, shift = moving(80)
    random = np.random.default_rng(2)
    features = random.normal(size=(80, 9, 9, 12), scale=0.3).astype("float32")
    part = shift[:, 0] + [2, 3]
    features[np.arange(80), part[:, 0], part[:, 1], 4] += 2
    points[:, 0] = part
    points[::3, 0] = 0  # in a third of the images it looks at the corner
    worth = np.r_[np.ones(6), np.full(2, 0.1)]
    found = consensus_detectors(features, np.eye(12, dtype="f4"), points, worth)[0]
    answers = (features @ found).reshape(80, -1)
    right = answers.argmax(1) == part[:, 0] * 9 + part[:, 1]
    assert right[::3].mean() > 0.8


@pytest.mark.parametrize("images", [1, 3])
def test_few_images_and_places_that_never_move(images):
    points = np.full((images, 6, 2), 1, "float32")
    worth = place_worth(points, np.full(6, np.inf))
    assert np.isfinite(worth).all()
    features = np.zeros((images, 2, 2, 5), "float32")
    found = consensus_detectors(features, np.eye(5, dtype="f4"), points, worth)
    assert found.shape == (6, 5)
    assert np.isfinite(found).all()
