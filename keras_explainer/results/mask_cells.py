"""The part mask of given peaks, on the cells of a map."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def mask_cells(
    cells: Iterable[tuple[int, int]], map_size: tuple[int, int], beta: float
) -> np.ndarray:
    """`max(1 - beta · ‖(i, j) - mu‖_1 / n, 0)`, the maximum over the peaks `mu`.

    As `keras_explainer.layers.PartMask` (arXiv 1710.00935, section 3), `n` the longer
    side of the map.

    Args:
        cells: (row, column) of the peaks; none gives a mask of zeros.
        map_size: (rows, columns).
        beta: Slope of the mask, above 0.

    Returns:
        float32 (rows, columns), values in [0, 1].
    """
    rows, columns = map_size
    mask = np.zeros((rows, columns))
    for row, column in cells:
        distance = np.abs(np.arange(rows) - row)[:, None] + np.abs(
            np.arange(columns) - column
        )
        mask = np.maximum(mask, 1 - beta * distance / max(rows, columns))
    return mask.astype("float32")
