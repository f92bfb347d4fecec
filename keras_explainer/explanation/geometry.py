"""From cells of a map to pixels of the image: boxes and masks of parts.

A cell stands for its rectangle of the image divided into the map's rows and columns:
its centre is where all metrics put a position, its sides are the stride. Not the centre
of the theoretical receptive field: one-sided padding moves that by up to half a stride,
and learning undoes it (MobileNet 0.75, `conv_pw_11_relu`, 224 x 224: the gradient of a
cell of the middle has its centre within 3 pixels of the cell's centre, and 5 to 10
pixels before that of the theoretical field).

The mask of a part, `max(1 - beta · d / n, 0)` with `d` the L1 distance in cells from a
peak, is a function of the plane: between the cells it is evaluated, not interpolated.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

AREA_LEVEL = 0.5
"""The area of a part is where its mask is at least this."""

Box = tuple[float, float, float, float]


def part_box(
    cells: Iterable[tuple[int, int]],
    image_size: tuple[int, int],
    map_size: tuple[int, int],
    beta: float,
) -> Box | None:
    """The box around the area in which the part mask is at least `AREA_LEVEL`.

    Args:
        cells: (row, column) of the mask's peaks.
        image_size: (height, width) in pixels.
        map_size: (rows, columns).
        beta: Slope of the mask.

    Returns:
        (top, left, bottom, right) in pixels, within the image; None without a peak.
    """
    peaks = np.asarray(list(cells), float).reshape(-1, 2)
    if not len(peaks):
        return None
    stride = np.asarray(image_size) / np.asarray(map_size)
    centres = (peaks + 0.5) * stride
    reach = (1 - AREA_LEVEL) * max(map_size) / beta * stride
    top, left = np.maximum(centres.min(0) - reach, 0.0)
    bottom, right = np.minimum(centres.max(0) + reach, image_size)
    return float(top), float(left), float(bottom), float(right)


def pixel_mask(
    cells: Iterable[tuple[int, int]],
    image_size: tuple[int, int],
    map_size: tuple[int, int],
    beta: float,
) -> np.ndarray:
    """The part mask at the pixels' centres.

    Args:
        cells: (row, column) of the mask's peaks.
        image_size: (height, width) of the result; any size of the same image.
        map_size: (rows, columns).
        beta: Slope of the mask.

    Returns:
        float32 (height, width), values in [0, 1]; all 0 without a peak.
    """
    return np.maximum(unclipped_mask(cells, image_size, map_size, beta), 0)


def unclipped_mask(
    cells: Iterable[tuple[int, int]],
    image_size: tuple[int, int],
    map_size: tuple[int, int],
    beta: float,
) -> np.ndarray:
    """As `pixel_mask`, going on below 0; its slope is the same everywhere."""
    rows, columns = (
        (np.arange(pixels) + 0.5) * count / pixels - 0.5
        for pixels, count in zip(image_size, map_size, strict=True)
    )
    slope = beta / max(map_size)
    mask = np.full(image_size, -np.inf, "float32")
    for row, column in cells:
        up = 1 - slope * np.abs(rows - row)[:, None]
        mask = np.maximum(mask, (up - slope * np.abs(columns - column)).astype("f4"))
    return mask
