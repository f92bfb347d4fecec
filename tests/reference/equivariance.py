"""Equivariance loss, from its definition, in float64 and by loops."""

from __future__ import annotations

import math

import numpy as np


def soft_position(one, sharpness=4.0):
    """Centre of mass (y, x), in shares of the map, of `(map / max)^sharpness`."""
    one = np.asarray(one, "float64")
    height, width = one.shape
    total = y = x = 0.0
    for i in range(height):
        for j in range(width):
            mass = (one[i, j] / one.max()) ** sharpness
            total += mass
            y += mass * (i + 0.5) / height
            x += mass * (j + 0.5) / width
    return y / total, x / total


def in_image(position, box):
    """A position in a view (top, left, height, width, flipped), seen in the image."""
    y, x = position
    top, left, height, width, flipped = (float(value) for value in box)
    if flipped:
        x = 1 - x
    return top + height * y, left + width * x


def contains(box, point):
    top, left, height, width = (float(value) for value in box[:4])
    return top <= point[0] <= top + height and left <= point[1] <= left + width


def equivariance_loss(maps, boxes, sharpness=4.0):
    """Mean distance over filters and pairs of views that both see both points."""
    count, views, _, _, filters = maps.shape
    distances = []
    for n in range(count):
        for f in range(filters):
            for a in range(views):
                for b in range(a + 1, views):
                    one, other = maps[n, a, :, :, f], maps[n, b, :, :, f]
                    if one.max() <= 0 or other.max() <= 0:
                        continue
                    p = in_image(soft_position(one, sharpness), boxes[n, a])
                    q = in_image(soft_position(other, sharpness), boxes[n, b])
                    if contains(boxes[n, b], p) and contains(boxes[n, a], q):
                        distances.append(math.hypot(p[0] - q[0], p[1] - q[1]))
    return float(np.mean(distances)) if distances else 0.0
