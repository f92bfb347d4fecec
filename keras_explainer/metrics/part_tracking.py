"""Part tracking: which filters move with a part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import as_centres
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import SPLITS, TOP
from keras_explainer.metrics.tracked_parts import tracked_parts

THRESHOLD = 0.3
"""R² from which a filter counts as tracking a part."""


class PartTracking(NamedTuple):
    """Shares of all filters, dead ones included as failing, each 0 to 1.

    Attributes:
        share: filters that track their part (`part_tracking_share`).
        by_part: the same split by the chosen part (`tracking_by_part`), P shares
            that sum to `share`.
    """

    share: float
    by_part: list[float]


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
    found = tracked_parts(
        positions, centres, threshold=threshold, splits=splits, top=top
    )
    for number, split in enumerate(found):
        good[number, every, split.part] = split.tracks
    by_part = good.mean((0, 1))
    return PartTracking(float(by_part.sum()), by_part.tolist())
