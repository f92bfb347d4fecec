"""Which images a figure of a filter and a part is taken over."""

from __future__ import annotations

import numpy as np

from keras_explainer.metrics.array_inputs import BoolArray, FloatArray, IntArray
from keras_explainer.metrics.positions import Positions

TOP = 100
"""At most this many images, the strongest ones, per filter and part."""
SPLITS = 10
"""Seeded halvings of the images that split figures are averaged over."""


def halves(images: int, seed: int) -> tuple[IntArray, IntArray]:
    """Image indices of the two halves A and B of halving number `seed`."""
    order = np.random.default_rng(seed).permutation(images)
    return order[: images // 2], order[images // 2 :]


def annotated(centres: FloatArray, part: int, indices: IntArray) -> IntArray:
    """Those of `indices` whose image shows `part`, in the given order."""
    return indices[~np.isnan(centres[indices, part, 0])]


def strongest(
    positions: Positions, candidates: IntArray, top: int = TOP
) -> tuple[IntArray, BoolArray]:
    """The `top` candidates with the strongest activation, for each filter.

    Returns:
        Image indices (K, C), strongest first, in the given order on a tie, and a
        mask (K, C): false where fewer than K candidates are not silent.
    """
    silent = positions.silent[candidates]
    key = np.where(silent, np.inf, -positions.strength[candidates])
    order = np.argsort(key, axis=0, kind="stable")[:top]
    count = np.minimum((~silent).sum(0), top)
    return candidates[order], np.arange(len(order))[:, None] < count


def masked_variance(values: FloatArray, valid: BoolArray, ddof: int) -> FloatArray:
    """Variance over axis 0 of `values` (K, ...) where `valid`; NaN if too few."""
    count = valid.sum(0)
    enough = np.maximum(count - ddof, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, values, 0).sum(0) / count
        squares = np.where(valid, (values - mean) ** 2, 0).sum(0)
        return np.where(enough > 0, squares / enough, np.nan)
