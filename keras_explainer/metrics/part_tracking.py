"""Part tracking: which filters move with a part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import FloatArray, IntArray, as_centres
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import (
    SPLITS,
    TOP,
    annotated,
    halves,
    masked_variance,
    strongest,
)

THRESHOLD = 0.3
"""R² from which a filter counts as tracking a part."""
MINIMUM_IMAGES = 8
"""Fewer images than these give no R²."""


class PartTracking(NamedTuple):
    """Shares of all filters, dead ones included as failing, each 0 to 1.

    Attributes:
        share: filters that track their part (`part_tracking_share`).
        by_part: the same split by the chosen part (`tracking_by_part`), P shares
            that sum to `share`.
    """

    share: float
    by_part: list[float]


def r2(
    positions: Positions,
    centres: Any,
    indices: IntArray | None = None,
    *,
    top: int = TOP,
) -> FloatArray:
    """R² of every filter and part over a set of images.

    `1 - (Var dy + Var dx) / (Var part_y + Var part_x)`, (dy, dx) = part - position,
    over the (at most) `top` strongest images that show the part. A constant position
    gives 0, a filter that moves with the part more, up to 1.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        indices: the images to use; all when `None`.
        top: images per filter and part.

    Returns:
        (C, P); minus infinity where fewer than 8 images can be used or where the part
        does not move.

    Raises:
        DataError: `centres` cannot be used.
    """
    images, filters = positions.cell.shape
    centres = as_centres(centres, images)
    indices = np.arange(images) if indices is None else np.asarray(indices)
    result = np.full((filters, centres.shape[1]), -np.inf)
    for part in range(centres.shape[1]):
        candidates = annotated(centres, part, indices)
        if len(candidates) < MINIMUM_IMAGES:
            continue
        rows, valid = strongest(positions, candidates, top)
        centre = centres[rows, part]
        offset = centre - positions.pixels[rows, np.arange(filters)]
        valid = valid[..., None]
        total = masked_variance(centre, valid, ddof=0).sum(-1)
        rest = masked_variance(offset, valid, ddof=0).sum(-1)
        usable = (valid[..., 0].sum(0) >= MINIMUM_IMAGES) & (total > 0)
        result[usable, part] = 1 - rest[usable] / total[usable]
    return result


def part_tracking(
    positions: Positions,
    centres: Any,
    *,
    threshold: float = THRESHOLD,
    splits: int = SPLITS,
    top: int = TOP,
) -> PartTracking:
    """Share of filters that move with a part, chosen and measured on other images.

    Over `splits` seeded halvings of the images: a filter's part is the one with the
    highest R² on half A, and it counts when it is live and its R² for that part on
    half B is at least `threshold`. Mean of the halvings. Higher is better.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        threshold: of R².
        splits: number of halvings, seeded 0, 1, ...
        top: images per filter and part.

    Raises:
        DataError: `centres` cannot be used.
    """
    images, filters = positions.cell.shape
    centres = as_centres(centres, images)
    good = np.zeros((splits, filters, centres.shape[1]), np.bool_)
    every = np.arange(filters)
    for seed in range(splits):
        half_a, half_b = halves(images, seed)
        part = r2(positions, centres, half_a, top=top).argmax(1)
        score = r2(positions, centres, half_b, top=top)[every, part]
        good[seed, every, part] = (score >= threshold) & positions.live
    by_part = good.mean((0, 1))
    return PartTracking(float(by_part.sum()), by_part.tolist())
