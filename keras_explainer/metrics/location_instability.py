"""Location instability, the published metric of part filters."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.metrics.array_inputs import FloatArray, as_centres
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import (
    TOP,
    annotated,
    masked_variance,
    strongest,
)


def location_instability(
    positions: Positions, centres: Any, *, top: int = TOP
) -> float | None:
    """Spread of the distance between a filter and a part, over the diagonal.

    Per filter and part, over the (at most) `top` images with the strongest
    activation among those that show the part: the sample standard deviation (N - 1)
    of the distance between position and part centre. Mean over parts, then over live
    filters, over the image diagonal. Lower is better. A filter that ignores the
    image scores well, too: never quote it without `dead_filters` and the figure of
    `constant_position`.

    Source: Zhang et al., Interpretable Convolutional Neural Networks (arXiv
    1710.00935), section 4; definition of the authors' Matlab code.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        top: images per filter and part.

    Returns:
        The figure, about 0.06 to 0.2; `None` when no live filter meets a part in two
        images.

    Raises:
        DataError: `centres` cannot be used.
    """
    per_filter = instability_by_filter(positions, centres, top=top)
    measured = ~np.isnan(per_filter)
    return float(per_filter[measured].mean()) if measured.any() else None


def instability_by_filter(
    positions: Positions, centres: Any, *, top: int = TOP
) -> FloatArray:
    """(C,) the same of each filter; NaN for dead ones and those without a figure.

    Args, raises: as for `location_instability`.
    """
    images, filters = positions.cell.shape
    centres = as_centres(centres, images)
    deviation = np.full((filters, centres.shape[1]), np.nan)
    for part in range(centres.shape[1]):
        candidates = annotated(centres, part, np.arange(images))
        rows, valid = strongest(positions, candidates, top)
        offset = centres[rows, part] - positions.pixels[rows, np.arange(filters)]
        distance = np.sqrt((offset**2).sum(-1))
        deviation[:, part] = np.sqrt(masked_variance(distance, valid, ddof=1))
    known = ~np.isnan(deviation) & positions.live[:, None]
    measured = known.any(1)
    per_filter = np.full(filters, np.nan)
    totals = np.where(known, deviation, 0).sum(1)[measured]
    per_filter[measured] = totals / known.sum(1)[measured] / positions.diagonal
    return per_filter
