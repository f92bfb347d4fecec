"""How well the masks of filters that track a part cover that part."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import FloatArray, as_centres
from keras_explainer.metrics.concentration import BETA
from keras_explainer.metrics.part_tracking import THRESHOLD
from keras_explainer.metrics.pixel_masks import as_masks
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import SPLITS, TOP
from keras_explainer.metrics.tracked_parts import tracked_parts

LEVEL = 0.5
"""A part's area is where its mask is at least this."""
_CHUNK_IMAGES = 64


class MaskIoU(NamedTuple):
    """Intersection over union with the true masks, 0 to 1; `None` if nothing tracks.

    Attributes:
        iou: mean over the filters that track a part.
        chance: the same with the filter's position taken from another image that shows
            the part: what is reached by mask size and habit, without following.
        by_part: `iou` of the filters of each part.
    """

    iou: float | None
    chance: float | None
    by_part: list[float | None]


def mask_iou(
    positions: Positions,
    masks: Any,
    centres: Any,
    *,
    beta: float = BETA,
    level: float = LEVEL,
    threshold: float = THRESHOLD,
    splits: int = SPLITS,
    top: int = TOP,
) -> MaskIoU:
    """IoU of tracking filters' part masks with the true masks of their parts.

    A filter's mask is `max(1 - beta d / max(H, W), 0)`, d the L1 distance in cells from
    its position (arXiv 1710.00935, section 3), evaluated at the pixels' centres; its
    area is where this is at least `level`. Over `splits` seeded halvings of the images:
    a filter's part is chosen and it is found to track it as in `part_tracking`; its IoU
    is the mean over the images of half B that show the part and on which it is not
    silent. Mean over all tracking filters of all halvings. Higher is better.

    Args:
        positions: of C filters in N images.
        masks: (N, P, height, width), bool or 0 and 1: the visible pixels of each part;
            empty where it is absent.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        beta: slope of the filters' masks.
        level: of the filters' masks, above 0 and at most 1.
        threshold, splits, top: see `part_tracking`.

    Raises:
        DataError: `masks` or `centres` cannot be used.
    """
    centres = as_centres(centres, len(positions.cell))
    table = iou_table(positions, masks, beta, level)
    parts = centres.shape[1]
    if table.shape[1] != parts:
        raise DataError(
            f"Centres are given of {parts} parts, masks of {table.shape[1]}; both must "
            "be of the same parts."
        )
    found: list[list[tuple[float, float]]] = [[] for _ in range(parts)]
    every = np.arange(len(table))
    shown = ~np.isnan(table[:, :, 0])
    for split in tracked_parts(
        positions, centres, threshold=threshold, splits=splits, top=top
    ):
        in_b = np.isin(every, split.half_b)
        for filter_ in np.flatnonzero(split.tracks):
            part = int(split.part[filter_])
            use = in_b & shown[:, part] & ~positions.silent[:, filter_]
            if use.sum() < 2:
                continue
            cell = positions.cell[use, filter_]
            rows = table[use, part]
            own = rows[np.arange(len(rows)), cell]
            # All pairs of a position and a mask, less those of the same image.
            pairs = rows.sum(0)[cell].sum() - own.sum()
            chance = pairs / (len(rows) * (len(rows) - 1))
            found[part].append((float(own.mean()), float(chance)))
    pooled = [pair for pairs in found for pair in pairs]
    if not pooled:
        return MaskIoU(None, None, [None] * parts)
    iou, chance = np.mean(pooled, axis=0).tolist()
    by_part = [
        float(np.mean([own for own, _ in pairs])) if pairs else None for pairs in found
    ]
    return MaskIoU(iou, chance, by_part)


def iou_table(
    positions: Positions, masks: Any, beta: float = BETA, level: float = LEVEL
) -> FloatArray:
    """IoU of every true mask with the area of a filter's mask at every cell.

    Args:
        positions: of filters in N images; for their sizes.
        masks: (N, P, height, width).
        beta, level: see `mask_iou`.

    Returns:
        (N, P, H·W), NaN where the true mask is empty.

    Raises:
        DataError: `masks` cannot be used.
    """
    masks = as_masks(masks, positions)
    images, parts, height, width = masks.shape
    areas = _areas((height, width), positions.map_shape, beta, level)
    sizes = areas.sum(1)
    result = np.empty((images, parts, len(areas)))
    for start in range(0, images, _CHUNK_IMAGES):
        piece = masks[start : start + _CHUNK_IMAGES].reshape(-1, height * width)
        # Sums of zeros and ones: exact in float32 below 2^24 pixels.
        common = piece.astype(np.float32) @ areas.T.astype(np.float32)
        true = piece.sum(1)[:, None]
        with np.errstate(invalid="ignore"):
            iou = common / np.where(true > 0, true + sizes - common, np.nan)
        result[start : start + _CHUNK_IMAGES] = iou.reshape(-1, parts, len(areas))
    return result


def _areas(
    image_size: tuple[int, int],
    map_shape: tuple[int, int],
    beta: float,
    level: float,
) -> np.ndarray:
    """bool (H·W, height·width): the pixels of the area of a mask at each cell."""
    reach = (1 - level) * max(map_shape) / beta
    down, across = (
        np.abs(
            (np.arange(pixels) + 0.5) * cells / pixels - 0.5 - np.arange(cells)[:, None]
        )
        for pixels, cells in zip(image_size, map_shape, strict=True)
    )
    distance = down[:, None, :, None] + across[None, :, None, :]
    return (distance <= reach + 1e-9).reshape(map_shape[0] * map_shape[1], -1)
