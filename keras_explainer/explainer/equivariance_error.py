"""Equivariance error: a label-free score of how well filters follow the image."""

from __future__ import annotations

import numpy as np


def equivariance_error(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean distance between a filter's positions in two views, seen in the image.

    The arg-max cells of both views are mapped back to the image and compared where
    both views contain both points; the measured counterpart of `equivariance_loss`.

    Args:
        maps: `(N, V, H, W, F)`.
        boxes: `(N, V, 5)`, see `ViewSpec`.

    Returns:
        `(F,)` in units of the image's side; infinite for a filter whose positions were
        never seen in two views.
    """
    total, seen = equivariance_sums(maps, boxes)
    return np.where(seen > 0, total / np.maximum(seen, 1), np.inf)


def equivariance_sums(
    maps: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the distances and number of comparisons per filter, `(F,)` each."""
    images, views, height, width, filters = maps.shape
    cell = maps.reshape(images, views, height * width, filters).argmax(axis=2)
    y = (cell // width + 0.5) / height
    x = (cell % width + 0.5) / width
    top, left, tall, wide, flipped = (boxes[..., i, None] for i in range(5))
    y = top + tall * y
    x = left + wide * np.where(flipped > 0, 1 - x, x)
    total, seen = np.zeros(filters), np.zeros(filters)
    for a in range(views):
        for b in range(a + 1, views):
            both = _inside(y[:, a], x[:, a], boxes[:, b])
            both &= _inside(y[:, b], x[:, b], boxes[:, a])
            distance = np.hypot(y[:, a] - y[:, b], x[:, a] - x[:, b])
            total += (distance * both).sum(0)
            seen += both.sum(0)
    return total, seen


def _inside(y: np.ndarray, x: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    top, left, tall, wide = (boxes[:, i, None] for i in range(4))
    return (y >= top) & (y <= top + tall) & (x >= left) & (x <= left + wide)
