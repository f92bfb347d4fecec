"""Exemplar detectors: directions that each find one spot of every image, unlabelled."""

from __future__ import annotations

import numpy as np

ROUNDS = 6
SUREST_SHARE = 0.5
LEAST_IMAGES = 8
RIDGE = 3.0
"""Added to the covariance, as a share of its mean variance."""
SAMPLED_CELLS = 30_000


def exemplar_detectors(
    features: np.ndarray,
    inverse: np.ndarray,
    weights: np.ndarray,
    count: int,
    random: np.random.Generator,
) -> np.ndarray:
    """Linear discriminants of what is found once in every image.

    Each begins as the discriminant of one cell against the cells of all views,

        w = (S + RIDGE · mean variance · 1)⁻¹ (m - mean),

    with the cell as `m` (exemplar LDA: Hariharan, Malik and Ramanan, *Discriminative
    Decorrelation for Clustering and Classification*, ECCV 2012). Then, in each of
    `ROUNDS` rounds, the cell of each image is looked up in which it answers most, and
    `m` becomes the mean of the cells of the surest half of the images (discriminative
    patches: Singh, Gupta and Efros, ECCV 2012). A cluster of cells tells what is
    frequent; this tells what has one place in an image, as a part has.

    Args:
        features: `(N, H, W, C)`, the images, less the background's mean.
        inverse: `(C, C)`, see `inverse_covariance`.
        weights: `(N, H, W)`, how much more often a cell is drawn to begin with; their
            sum is 1.
        count: number of detectors `K`.
        random: draws the cells.

    Returns:
        `(K, C)` directions of length 1.
    """
    images, channels = len(features), features.shape[-1]
    cells = features.reshape(images, -1, channels)
    flat = cells.reshape(-1, channels)
    wanted = flat[random.choice(len(flat), count, p=weights.reshape(-1))]
    surest = min(images, max(LEAST_IMAGES, round(SUREST_SHARE * images)))
    for _ in range(ROUNDS):
        directions = unit(wanted @ inverse)
        best = np.empty((images, count), int)
        answer = np.empty((images, count), "float32")
        for at, of_image in enumerate(cells):
            answers = directions @ of_image.T
            best[at], answer[at] = answers.argmax(1), answers.max(1)
        sure = np.argsort(-answer, axis=0, kind="stable")[:surest]
        taken = np.zeros((images, count), bool)
        np.put_along_axis(taken, sure, True, axis=0)
        wanted = np.zeros((count, channels), "float32")
        for of_image, which, places in zip(cells, taken, best, strict=True):
            wanted[which] += of_image[places[which]]
        wanted /= surest
    return unit(wanted @ inverse)


def inverse_covariance(
    background: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Inverse of the cells' covariance `S`, with the ridge, `(C, C)`.

    `S` is the mean of the covariances of the cells at the rim and of all others: the
    rim looks like nothing else where a network pads with zeros, and draws detectors.

    Args:
        background: `(n, H, W, C)`, all views, less their mean.
        random: draws `SAMPLED_CELLS` of the cells.
    """
    rim = np.ones(background.shape[1:3], bool)
    rim[1:-1, 1:-1] = False
    parts = [np.flatnonzero(where) for where in (rim, ~rim) if where.any()]
    covariance = np.mean([_covariance(background, at, random) for at in parts], axis=0)
    ridge = RIDGE * np.trace(covariance) / len(covariance)
    covariance[np.diag_indices_from(covariance)] += max(ridge, 1e-12)
    return np.linalg.inv(covariance).astype("float32")


def _covariance(
    background: np.ndarray, places: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Of the cells at these places of the maps, `SAMPLED_CELLS` of them at most."""
    maps = background.reshape(len(background), -1, background.shape[-1])
    chosen = np.arange(len(maps) * len(places))
    if len(chosen) > SAMPLED_CELLS:
        chosen = random.choice(len(chosen), SAMPLED_CELLS, replace=False)
    cells = maps[chosen // len(places), places[chosen % len(places)]]
    return (cells.T @ cells).astype("float64") / len(cells)


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors of the last axis with length 1; zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-30)).astype("float32")
