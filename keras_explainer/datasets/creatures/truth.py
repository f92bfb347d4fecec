"""From labelled pixels to presence, boxes and centres."""

from __future__ import annotations

import numpy as np

VISIBLE_SHARE = 0.5
"""A part of which no more than this can be seen is absent."""
LEAST_SHARE = 1 / 800
"""Of the image's pixels, that a part must have to be present."""


def part_truth(
    label_map: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What can be seen of the parts; absent ones are taken off the map.

    Args:
        label_map: uint8 (n, H, W), 1 to P the parts; changed in place.
        whole: int (n, P), pixels of each part with nothing in front of it.

    Returns:
        Centres (n, P, 2), boxes (n, P, 4) and visible shares (n, P), float64, NaN where
        absent; shares only where a part is not drawn.
    """
    images, height, width = label_map.shape
    parts = whole.shape[1]
    boxes = np.full((images, parts, 4), np.nan)
    visible = np.full((images, parts), np.nan)
    for part in range(parts):
        mask = label_map == part + 1
        in_rows, in_columns = mask.any(2), mask.any(1)
        seen = np.count_nonzero(mask, axis=(1, 2))
        drawn = whole[:, part] > 0
        visible[drawn, part] = seen[drawn] / whole[drawn, part]
        present = drawn & (seen > VISIBLE_SHARE * whole[:, part])
        present &= seen >= LEAST_SHARE * height * width
        found = boxes[:, part]
        found[:, 0], found[:, 2] = _ends(in_rows)
        found[:, 1], found[:, 3] = _ends(in_columns)
        found[~present] = np.nan
        gone = ~present & (seen > 0)
        if gone.any():
            label_map[gone] = np.where(mask[gone], np.uint8(0), label_map[gone])
    centres = (boxes[..., :2] + boxes[..., 2:]) * 0.5
    return centres, boxes, visible


def _ends(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First marked place and the one behind the last, of each row."""
    return marked.argmax(1), marked.shape[1] - marked[:, ::-1].argmax(1)
