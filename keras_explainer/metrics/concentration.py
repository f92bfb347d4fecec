"""How much of a filter's map lies around its position."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_maps,
)
from keras_explainer.metrics.positions import Positions

BETA = 4.0
"""Slope of the papers' part mask."""


def concentration_by_image(
    maps: FloatArray, cell: IntArray, beta: float = BETA
) -> FloatArray:
    """Share of each map's mass that lies where the mask at `cell` is positive.

    Args:
        maps: (N, H, W, C).
        cell: (N, C) flat arg-max cells of them.
        beta: slope of the mask `1 - beta·‖ij - mu‖₁ / max(H, W)`.

    Returns:
        (N, C), 0 to 1; NaN where a map has no positive value.
    """
    height, width = maps.shape[1:3]
    flat = np.maximum(maps, 0).reshape(len(maps), height * width, -1)
    row, column = np.divmod(cell, width)
    rows, columns = np.arange(1 - height, height), np.arange(1 - width, width)
    distance = np.abs(rows)[:, None] + np.abs(columns)
    inside = np.zeros(cell.shape)
    for i, j in np.argwhere(1 - beta * distance / max(height, width) > 0):
        r, c = row + rows[i], column + columns[j]
        valid = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        index = np.where(valid, r * width + c, 0)
        values = np.take_along_axis(flat, index[:, None], axis=1)[:, 0]
        inside += np.where(valid, values, 0)
    mass = flat.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(mass > 0, inside / mass, np.nan)


def mean_concentration(
    total: FloatArray, count: IntArray, live: BoolArray
) -> float | None:
    """Mean over live filters of `total / count`, each (C,)."""
    return float((total[live] / count[live]).mean()) if live.any() else None


def concentration(
    maps: Any, positions: Positions, *, beta: float = BETA
) -> float | None:
    """Share of a filter's map mass near its position.

    Near is where the papers' part mask around the position is positive (an L1 ball of
    radius `max(H, W) / beta`, without its edge). Mean over non-silent images, then
    over live filters. Higher is better: a dense map with a bump is no part.

    Args:
        maps: (N, H, W, C) maps before the mask.
        positions: of the same maps.
        beta: slope of the mask.

    Returns:
        0 to 1; `None` when no filter is live.

    Raises:
        DataError: `maps` cannot be used or are not those of `positions`.
    """
    maps = as_maps(maps)
    expected = (len(positions.cell), *positions.map_shape, positions.cell.shape[1])
    if maps.shape != expected:
        raise DataError(
            f"The maps have the shape {maps.shape}, the positions were taken from "
            f"{expected}; give the maps that the positions were taken from."
        )
    share = concentration_by_image(maps, positions.cell, beta)
    fires = ~positions.silent
    total = np.where(fires, share, 0).sum(0)
    return mean_concentration(total, fires.sum(0), positions.live)
