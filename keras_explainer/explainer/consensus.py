"""Consensus of detectors: what all of them together tell of where the object lies."""

from __future__ import annotations

import numpy as np

from keras_explainer.explainer.exemplar_detectors import unit

MOTIONS = 2
"""Ways in which all places move together: up and across. More are no better."""
SLACK = 0.3
"""Cells; a position is a whole number of them."""
WORTH_POWER = 2.0


def consensus_detectors(
    features: np.ndarray, inverse: np.ndarray, points: np.ndarray, worth: np.ndarray
) -> np.ndarray:
    """Detectors anew, of what lies where the others expect each one's place.

    In each image a place is put where `common_motion` has it; of the mean of what lies
    there, over all images, the detector becomes the discriminant. Where one was
    deceived the others lead it back, so that it also learns the images that it was
    wrong in.

    Args:
        features: `(N, H, W, C)` of the images, less the background's mean.
        inverse: `(C, C)`, see `inverse_covariance`.
        points: `(N, K, 2)` cells, rows and columns, of the detectors in the images.
        worth: `(K,)`, how much each has a say.

    Returns:
        `(K, C)` directions of length 1.
    """
    last = np.array(features.shape[1:3]) - 1
    expected = np.rint(common_motion(points, worth)).astype(int).clip(0, last)
    wanted = np.zeros((points.shape[1], features.shape[-1]), "float32")
    for of_image, cells in zip(features, expected, strict=True):
        wanted += of_image[cells[:, 0], cells[:, 1]]
    return unit(wanted @ inverse)


def place_worth(points: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How likely places are parts, `(K,)` in 0 … 1; the best has 1.

    The places' standard deviation over the images, over their error between views and
    over their distance from where `common_motion` puts them, to the power of
    `WORTH_POWER`. A part moves with its object, and so with the object's other
    parts; what wanders has no company, and what always lies in the middle tells
    nothing.

    Args:
        points: `(N, K, 2)` cells of each place in the images.
        error: `(K,)` equivariance errors.
    """
    spread = np.sqrt(points.var(0, dtype="float64").sum(-1))
    apart = np.square(points - common_motion(points)).sum(-1)
    apart = np.sqrt(apart.mean(0)) + SLACK
    ratio = spread / np.maximum(error, 1e-9) / apart
    return (ratio / max(ratio.max(), 1e-9)) ** WORTH_POWER


def common_motion(points: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Positions as far as the way in which all places move tells them.

    The first `MOTIONS` principal components over the images.

    Args:
        points: `(N, K, 2)` cells.
        weights: `(K,)` of the places; None weighs all alike.

    Returns:
        `(N, K, 2)` cells, not whole ones.
    """
    mean = points.mean(0, dtype="float64")
    moved = (points - mean).reshape(len(points), -1)
    weighted = moved if weights is None else moved * np.repeat(weights, 2)
    # Of few images and many places: their products have the same directions.
    motions = np.linalg.eigh(weighted @ weighted.T)[1][:, : -MOTIONS - 1 : -1]
    return (motions @ (motions.T @ moved)).reshape(points.shape) + mean
