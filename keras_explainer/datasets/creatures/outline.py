"""`Outline`: a union of round cones and triangles, by its signed distance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Cone = tuple[float, float, float, float, float, float]
"""(x, y, radius) of one end and of the other."""
Triangle = tuple[float, float, float, float, float, float]
"""Three corners (x, y)."""

_REACH = 1.5
"""Pixels around a shape that its soft edge and its slope need."""


class Outline(NamedTuple):
    """A shape in pixels, (x, y) from the picture's upper left corner.

    Attributes:
        segments: of K cones, see `segment_table`; None for K = 0.
        triangles: the triangles.
        box: (left, top, right, bottom) in pixels.
        blend: pixels over which the joints of cones are smoothed.
    """

    segments: np.ndarray | None
    triangles: Sequence[Triangle]
    box: tuple[float, float, float, float]
    blend: float = 0.0

    @classmethod
    def of(
        cls,
        cones: Sequence[Cone],
        triangles: Sequence[Triangle] = (),
        blend: float = 0.0,
    ) -> Outline:
        """The outline of these cones and triangles."""
        left = top = math.inf
        right = bottom = -math.inf
        for ax, ay, a, bx, by, b in cones:
            left, right = min(left, ax - a, bx - b), max(right, ax + a, bx + b)
            top, bottom = min(top, ay - a, by - b), max(bottom, ay + a, by + b)
        for ax, ay, bx, by, cx, cy in triangles:
            left, right = min(left, ax, bx, cx), max(right, ax, bx, cx)
            top, bottom = min(top, ay, by, cy), max(bottom, ay, by, cy)
        table = segment_table(np.array(cones)) if cones else None
        return cls(table, triangles, (left, top, right, bottom), blend)

    def window(
        self, margin: int, height: int, width: int
    ) -> tuple[slice, slice] | None:
        """Rows and columns to look at, of a canvas of that size with its margin."""
        left, top, right, bottom = self.box
        rows = slice(
            max(int(top + margin - _REACH), 0),
            min(int(bottom + margin + _REACH + 1), height),
        )
        columns = slice(
            max(int(left + margin - _REACH), 0),
            min(int(right + margin + _REACH + 1), width),
        )
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns

    def distance(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Signed distance, negative inside.

        Args:
            x: float32 (w,).
            y: float32 (h, 1).

        Returns:
            float32 (h, w), in pixels. Of triangles it is the distance to the lines of
            their sides: exact inside, too small beyond a corner.
        """
        found = None
        if self.segments is not None:
            found = _cones(x, y, self.segments, self.blend)
        for corners in self.triangles:
            other = _triangle(x, y, corners)
            found = other if found is None else np.minimum(found, other, out=found)
        if found is None:
            return np.full((y.size, x.size), 1e6, np.float32)
        return found

    def distances(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The distance to each cone by itself: float32 (K, h, w); see `distance`."""
        if self.segments is None:
            return np.empty((0, y.size, x.size), np.float32)
        return _apart(x, y, self.segments)


def _apart(x: np.ndarray, y: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Signed distance to each cone: (K, h, w)."""
    start_x, start_y, unit_x, unit_y, length, radius, growth = segments
    across, down = x - start_x, y - start_y
    along = across * unit_x + down * unit_y
    off = across * unit_y - down * unit_x
    off *= off
    near = np.maximum(along, 0)
    np.minimum(near, length, out=near)
    along -= near
    along *= along
    off += along
    np.sqrt(off, out=off)
    near *= growth
    near += radius
    off -= near
    return off


def segment_table(cones: np.ndarray) -> np.ndarray:
    """What the distance to cones is computed from.

    Args:
        cones: float64 (K, 6).

    Returns:
        float32 (7, K, 1, 1): x and y of the start, unit vector x and y, length, radius
        at the start, growth of the radius per pixel.
    """
    table = np.empty((7, len(cones)))
    run = cones[:, 3:5] - cones[:, :2]
    squares = run * run
    length = np.sqrt(squares[:, 0] + squares[:, 1])
    # A disc is a segment of no length, of any direction; it has the larger radius.
    disc = length < 1e-6
    safe = np.where(disc, 1, length)
    table[0], table[1] = cones[:, 0], cones[:, 1]
    table[2] = np.where(disc, 1, run[:, 0] / safe)
    table[3] = np.where(disc, 0, run[:, 1] / safe)
    table[4] = np.where(disc, 0, length)
    table[5] = np.where(disc, np.maximum(cones[:, 2], cones[:, 5]), cones[:, 2])
    table[6] = np.where(disc, 0, (cones[:, 5] - cones[:, 2]) / safe)
    return table.astype(np.float32).reshape(7, -1, 1, 1)


def _cones(
    x: np.ndarray, y: np.ndarray, segments: np.ndarray, blend: float
) -> np.ndarray:
    off = _apart(x, y, segments)
    if len(off) == 1:
        return off[0]
    if not blend:
        return off.min(axis=0)
    joined = off[0]
    for other in off[1:]:
        # The quadratic smooth minimum: lower than both by up to blend / 4.
        gap = joined - other
        np.abs(gap, out=gap)
        gap *= -1 / blend
        gap += 1
        np.maximum(gap, 0, out=gap)
        gap *= gap
        gap *= blend / 4
        np.minimum(joined, other, out=joined)
        joined -= gap
    return joined


def _triangle(x: np.ndarray, y: np.ndarray, corners: Triangle) -> np.ndarray:
    ax, ay, bx, by, cx, cy = corners
    turn = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    sign = 1.0 if turn > 0 else -1.0
    sides = []
    for px, py, qx, qy in ((ax, ay, bx, by), (bx, by, cx, cy), (cx, cy, ax, ay)):
        run_x, run_y = qx - px, qy - py
        length = max(math.sqrt(run_x * run_x + run_y * run_y), 1e-6)
        nx, ny = sign * run_y / length, -sign * run_x / length
        sides.append((x * nx - (px * nx + py * ny)) + y * ny)
    found = np.maximum(sides[0], sides[1], out=sides[0])
    return np.maximum(found, sides[2], out=found)
