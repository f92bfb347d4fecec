"""Equivariance error: a label-free score of how well filters follow the image."""

from __future__ import annotations

import numpy as np

MOST_ANSWERS = 2**24
"""Values of maps that are in memory at a time."""


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
    return _mean(total, seen)


def directions_followed(
    directions: np.ndarray, features: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where directions of features answer most, and how well that follows the image.

    Args:
        directions: `(K, C)`.
        features: `(N, V, H, W, C)`; view 0 is the image.
        boxes: `(N, V, 5)` of the views.

    Returns:
        Cells `(N, K, 2)`, rows and columns, of the images, and `equivariance_error`
        `(K,)`.
    """
    height, width, channels = features.shape[2:]
    count = len(directions)
    points, total, seen = [], np.zeros(count), np.zeros(count)
    # A few images at a time: the maps of many directions are large.
    step = max(1, MOST_ANSWERS // (features[0, ..., 0].size * count))
    for start in range(0, len(features), step):
        part, views = features[start : start + step], boxes[start : start + step]
        # One product of all cells, which lie side by side in each map then.
        maps = directions @ part.reshape(-1, channels).T
        cell = maps.reshape(count, *part.shape[:2], height * width).argmax(-1)
        cell = np.moveaxis(cell, 0, -1)
        sums = _compared(*_cells_in_image(cell, height, width, views), views)
        total, seen = total + sums[0], seen + sums[1]
        first = cell[:, 0]
        points.append(np.stack([first // width, first % width], -1).astype("float32"))
    return np.concatenate(points), _mean(total, seen)


def equivariance_sums(
    maps: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the distances and number of comparisons per filter, `(F,)` each."""
    return _compared(*positions_in_image(maps, boxes), boxes)


def _compared(
    y: np.ndarray, x: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`equivariance_sums` of positions `(N, V, F)`, fractions of the image."""
    views, filters = y.shape[1:]
    total, seen = np.zeros(filters), np.zeros(filters)
    for a in range(views):
        for b in range(a + 1, views):
            both = inside_view(y[:, a], x[:, a], boxes[:, b])
            both &= inside_view(y[:, b], x[:, b], boxes[:, a])
            distance = np.hypot(y[:, a] - y[:, b], x[:, a] - x[:, b])
            total += (distance * both).sum(0)
            seen += both.sum(0)
    return total, seen


def _mean(total: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.where(seen > 0, total / np.maximum(seen, 1), np.inf)


def positions_in_image(
    maps: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Arg-max cells `(y, x)` of maps in views, as fractions of the image.

    Args:
        maps: `(N, V, H, W, F)`.
        boxes: `(N, V, 5)`, see `ViewSpec`.

    Returns:
        `y` and `x`, each `(N, V, F)`.
    """
    images, views, height, width, filters = maps.shape
    cell = maps.reshape(images, views, height * width, filters).argmax(axis=2)
    return _cells_in_image(cell, height, width, boxes)


def _cells_in_image(
    cell: np.ndarray, height: int, width: int, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centres `(y, x)`, fractions of the image, of views' cells `(N, V, F)`."""
    y = (cell // width + 0.5) / height
    x = (cell % width + 0.5) / width
    top, left, tall, wide, flipped = (boxes[..., i, None] for i in range(5))
    return top + tall * y, left + wide * np.where(flipped > 0, 1 - x, x)


def inside_view(
    y: np.ndarray,
    x: np.ndarray,
    boxes: np.ndarray,
    rim: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Whether points of the image, `(..., F)` each, lie in views, `(..., 5)`.

    `rim` is how far from the view's border they must be at least, as shares of its
    height and width.
    """
    top, left, tall, wide = (boxes[..., i, None] for i in range(4))
    rim_y, rim_x = tall * rim[0], wide * rim[1]
    rows = (y >= top + rim_y) & (y <= top + tall - rim_y)
    return rows & (x >= left + rim_x) & (x <= left + wide - rim_x)
