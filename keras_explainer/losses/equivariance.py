"""Equivariance: a part filter's position must move with the image."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_explainer import global_batch


def soft_positions(maps: Any, sharpness: float = 4.0) -> tuple[Any, Any]:
    """Differentiable position of each map: its centre of mass after sharpening.

    Args:
        maps: `(..., H, W, F)`, values ≥ 0.
        sharpness: power that the map, divided by its maximum, is raised to; larger
            moves the centre of mass to the peak.

    Returns:
        positions `(..., F, 2)` as (y, x), fractions of the map in [0, 1] with cell
        centres at `(r + .5) / H`; and `(..., F)` bool, whether the map fires at all.
        The position of a silent map has no meaning.
    """
    maps = ops.cast(maps, "float32")
    height, width = maps.shape[-3], maps.shape[-2]
    peak = ops.max(maps, axis=(-3, -2), keepdims=True)
    mass = ops.power(maps / ops.maximum(peak, 1e-12) + 1e-7, sharpness)
    # At least 1 where the map fires. Of a silent one it is so small that its square,
    # which the gradient divides by, would be 0.
    total = ops.maximum(ops.sum(mass, axis=(-3, -2)), 0.5)
    rows = (ops.arange(height, dtype="float32") + 0.5) / height
    columns = (ops.arange(width, dtype="float32") + 0.5) / width
    y = ops.sum(ops.sum(mass, axis=-2) * rows[:, None], axis=-2) / total
    x = ops.sum(ops.sum(mass, axis=-3) * columns[:, None], axis=-2) / total
    return ops.stack([y, x], axis=-1), peak[..., 0, 0, :] > 0


def to_image(positions: Any, boxes: Any) -> Any:
    """Maps positions in views to positions in their images.

    Args:
        positions: `(..., F, 2)`, (y, x) fractions of the view.
        boxes: `(..., 5)`: top, left, height, width, flipped (see `ViewSpec`).

    Returns:
        `(..., F, 2)`, (y, x) fractions of the image.
    """
    positions, boxes = ops.convert_to_tensor(positions), ops.convert_to_tensor(boxes)
    top, left, height, width, flipped = (boxes[..., i, None] for i in range(5))
    y, x = positions[..., 0], positions[..., 1]
    x = x + flipped * (1.0 - 2.0 * x)
    return ops.stack([top + height * y, left + width * x], axis=-1)


def inside(points: Any, boxes: Any) -> Any:
    """Whether points of the image, `(..., F, 2)`, lie in boxes `(..., 5)`: bool."""
    points, boxes = ops.convert_to_tensor(points), ops.convert_to_tensor(boxes)
    top, left, height, width = (boxes[..., i, None] for i in range(4))
    y, x = points[..., 0], points[..., 1]
    return (y >= top) & (y <= top + height) & (x >= left) & (x <= left + width)


def equivariance_loss(maps: Any, boxes: Any, sharpness: float = 4.0) -> Any:
    """Mean distance between a filter's positions in two views, seen in the image.

    For every pair of views of an image and every filter, the soft positions in both
    are mapped back to the image and compared, where both views contain both points
    and the filter fires in both. Flips alone do not rule out a filter that is fixed at
    the centre; crops and shifts do (compare Thewlis et al. 2017; Hung et al. 2019).

    Args:
        maps: `(N, V, H, W, F)`, values ≥ 0, of `V` views of each image.
        boxes: `(N, V, 5)`, see `ViewSpec`.
        sharpness: see `soft_positions`.

    Returns:
        A float32 scalar ≥ 0, in units of the image's side; 0 for a single view.
    """
    views = maps.shape[1]
    boxes = ops.cast(boxes, "float32")
    positions, fires = soft_positions(maps, sharpness)
    points = to_image(positions, boxes)
    total, weight = 0.0, 0.0
    for a in range(views):
        for b in range(a + 1, views):
            seen = inside(points[:, a], boxes[:, b]) & inside(points[:, b], boxes[:, a])
            counts = ops.cast(seen & fires[:, a] & fires[:, b], "float32")
            squared = ops.sum(ops.square(points[:, a] - points[:, b]), axis=-1)
            total = total + ops.sum(counts * ops.sqrt(squared + 1e-8))
            weight = weight + ops.sum(counts)
    if views < 2:
        return ops.zeros((), "float32")
    total, weight = global_batch.all_sum([total, weight])
    return total / ops.maximum(weight, 1.0)
