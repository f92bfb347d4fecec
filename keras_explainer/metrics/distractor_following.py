"""Which filters follow a texture instead of a part: positions on distractors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import BoolArray, FloatArray
from keras_explainer.metrics.pixel_masks import as_masks
from keras_explainer.metrics.positions import Positions

DEVIATIONS = 3.0
"""Standard deviations above chance from which a filter follows distractors."""
MINIMUM_IMAGES = 8
"""Filters that fire on fewer images are not judged."""


class DistractorFollowing(NamedTuple):
    """How often positions lie on distractors.

    Attributes:
        share: of all filters that follow distractors, dead ones included as not.
        follows: (C,) which do.
        hits: (C,) share of a filter's images on which its position is on a distractor.
        chance: (C,) the same if its positions were dealt out to its images at random.
        deviations: (C,) standard deviations, under that chance, that hits lie above.
    """

    share: float
    follows: BoolArray
    hits: FloatArray
    chance: FloatArray
    deviations: FloatArray


def distractor_following(
    positions: Positions, masks: Any, *, deviations: float = DEVIATIONS
) -> DistractorFollowing:
    """Filters whose position lies on a distractor more often than by chance.

    Distractors are things that look like a part by texture alone. A filter that follows
    the part keeps off them; one that follows the texture sits on them when there is
    one. Chance is a random permutation of the filter's positions over the images on
    which it fires (mean and variance are known exactly: Hoeffding 1951), so that
    neither where distractors often lie nor where the filter often is counts.

    Args:
        positions: of C filters in N images.
        masks: (N, D, height, width), bool or 0 and 1: visible pixels of distractors, in
            D kinds; any of them counts.
        deviations: from which a filter follows.

    Returns:
        Lower shares are better. Hits and chance are NaN where a filter fires on fewer
        than 8 images.

    Raises:
        DataError: `masks` cannot be used.
    """
    masks = as_masks(masks, positions)
    height, width = masks.shape[2:]
    rows, columns = positions.map_shape
    # The pixel that holds the cell's centre.
    y = ((np.arange(rows) + 0.5) * height / rows).astype(np.intp)
    x = ((np.arange(columns) + 0.5) * width / columns).astype(np.intp)
    at_cell = masks[:, :, y[:, None], x].any(1).reshape(len(masks), -1)
    filters = positions.cell.shape[1]
    hits, chance = np.full(filters, np.nan), np.full(filters, np.nan)
    score = np.zeros(filters)
    for filter_ in range(filters):
        fires = ~positions.silent[:, filter_]
        if fires.sum() >= MINIMUM_IMAGES:
            cell = positions.cell[fires, filter_]
            hits[filter_], chance[filter_], score[filter_] = _compare(
                cell, at_cell[fires]
            )
    follows = (score >= deviations) & positions.live
    return DistractorFollowing(float(follows.mean()), follows, hits, chance, score)


def _compare(cell: np.ndarray, at_cell: np.ndarray) -> tuple[float, float, float]:
    """Hits, chance and deviations of n positions in n images.

    With a(i, j) = 1 where position i lies on a distractor of image j, the hits are
    the sum of a(i, i); over all permutations p the sum of a(i, p(i)) has the mean
    n·a.. and the variance Σ (a(i, j) − a(i, .) − a(., j) + a..)² / (n − 1).
    """
    images, cells = at_cell.shape
    count = np.bincount(cell, minlength=cells)
    by_position = at_cell.mean(0)[cell]
    by_image = (at_cell @ count) / images
    mean = by_position.mean()
    hits = at_cell[np.arange(images), cell].mean()
    squares = images * (
        by_position.sum()  # of ones and zeros, the squares are the values
        - (by_position**2).sum()
        - (by_image**2).sum()
        + images * mean**2
    )
    deviation = np.sqrt(max(squares, 0.0) / (images - 1)) / images
    # Rounding leaves something of a variance that is 0.
    score = (hits - mean) / deviation if deviation > 1e-9 else 0.0
    return float(hits), float(mean), float(score)
