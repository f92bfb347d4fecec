"""R²: how much of a part's movement a filter's position follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.metrics.array_inputs import FloatArray, IntArray, as_centres
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import TOP, annotated, masked_variance, strongest

MINIMUM_IMAGES = 8
"""Fewer images than these give no R²."""


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
