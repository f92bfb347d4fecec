"""Plain loops for the equivariance error, from its definition."""

from __future__ import annotations

import math

import numpy as np


def equivariance_error(maps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean distance of a filter's positions in two views, `(F,)`; inf if never seen."""
    images, views, height, width, filters = maps.shape
    out = np.full(filters, np.inf)
    for f in range(filters):
        distances = []
        for n in range(images):
            points = []
            for v in range(views):
                cell = int(np.argmax(maps[n, v, :, :, f].reshape(-1)))
                y = (cell // width + 0.5) / height
                x = (cell % width + 0.5) / width
                top, left, tall, wide, flipped = (float(b) for b in boxes[n, v])
                if flipped:
                    x = 1 - x
                points.append((top + tall * y, left + wide * x))
            for a in range(views):
                for b in range(a + 1, views):
                    if _in(points[a], boxes[n, b]) and _in(points[b], boxes[n, a]):
                        distances.append(math.dist(points[a], points[b]))
        if distances:
            out[f] = float(np.mean(distances))
    return out


def _in(point: tuple[float, float], box: np.ndarray) -> bool:
    top, left, tall, wide = (float(b) for b in box[:4])
    return top <= point[0] <= top + tall and left <= point[1] <= left + wide
