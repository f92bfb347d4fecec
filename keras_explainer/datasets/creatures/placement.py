"""`Placed`: a figure's layers in pixels of a picture."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from .canvas import Canvas
from .coat import Coat
from .draws import direction
from .figure import Figure, Layer
from .outline import Outline, segment_table


class Placed(NamedTuple):
    """A figure turned, mirrored, scaled and moved.

    Attributes:
        layers: with their outlines, from back to front.
        scale: pixels per unit of the figure's frame.
        box: (left, top, right, bottom) of all layers, in pixels.
        turn: of the figure in the picture, in turns, clockwise.
        mirrored: whether it looks to the left.
    """

    layers: list[tuple[Layer, Outline]]
    scale: float
    box: tuple[float, float, float, float]
    turn: float
    mirrored: bool

    @property
    def middle(self) -> tuple[float, float]:
        """(x, y) of the middle of the box."""
        left, top, right, bottom = self.box
        return 0.5 * (left + right), 0.5 * (top + bottom)

    def paint(
        self, canvas: Canvas, coat: Coat, label: int, hidden: Collection[int] = ()
    ) -> None:
        """Paints the layers of parts that are not hidden; part p is `label + p`."""
        for layer, outline in self.layers:
            if layer.part in hidden:
                continue
            mark = label + layer.part
            if layer.colours:
                canvas.fill(outline, layer.colours, mark, layer.alpha)
                continue
            angle = self.turn + (0.5 + layer.angle if self.mirrored else -layer.angle)
            relief = layer.relief * self.scale
            paint = coat.paint(layer.part, angle, layer.tone, relief, layer.alpha)
            canvas.paint(outline, paint, mark)


def place(
    figure: Figure,
    turn: float,
    mirrored: bool,
    size: float,
    room: tuple[float, float],
    over: float,
    at: tuple[float, float],
) -> Placed:
    """Puts a figure into a picture.

    Args:
        figure: in its own frame, with at least one layer.
        turn: in turns, clockwise.
        mirrored: look to the left.
        size: about the longer side of its box in pixels; more for a long thin one.
        room: (height, width) of the picture in pixels.
        over: share of its box that may lie beyond each edge of the picture.
        at: (down, across), 0 to 1: from the upper, left end of the room to the other.
    """
    ends = np.array([cone for layer in figure.layers for cone in layer.cones])
    ends = ends.reshape(-1, 2, 3)
    corners = np.array(
        [corners for layer in figure.layers for corners in layer.triangles]
    ).reshape(-1, 2)
    # Corners are ends without a radius.
    points = np.concatenate([ends[..., :2].reshape(-1, 2), corners])
    radius = np.zeros(len(points))
    radius[: 2 * len(ends)] = ends[..., 2].reshape(-1)

    cosine, sine = direction(turn)
    ahead = -1.0 if mirrored else 1.0
    x = points[:, 0] * (ahead * cosine) + points[:, 1] * sine
    y = points[:, 0] * (ahead * sine) - points[:, 1] * cosine
    left, right = float((x - radius).min()), float((x + radius).max())
    top, bottom = float((y - radius).min()), float((y + radius).max())
    wide, high = right - left, bottom - top
    scale = size / (0.8 * max(wide, high) + 0.2 * min(wide, high))
    wide, high = wide * scale, high * scale
    to_left = -over * wide + at[1] * (room[1] - (1 - 2 * over) * wide)
    to_top = -over * high + at[0] * (room[0] - (1 - 2 * over) * high)
    x = x * scale + (to_left - left * scale)
    y = y * scale + (to_top - top * scale)
    radius *= scale
    box = (to_left, to_top, to_left + wide, to_top + high)
    outlines = _outlines(figure.layers, x, y, radius, scale)
    return Placed(
        list(zip(figure.layers, outlines, strict=True)), scale, box, turn, mirrored
    )


def _outlines(
    layers: list[Layer], x: np.ndarray, y: np.ndarray, radius: np.ndarray, scale: float
) -> list[Outline]:
    """The layers' outlines; all ends of cones come first, then all corners."""
    count = 2 * sum(len(layer.cones) for layer in layers)
    cones = np.stack([x[:count], y[:count], radius[:count]], axis=-1).reshape(-1, 6)
    table = segment_table(cones)
    sides = np.stack([x[count:], y[count:]], axis=-1).reshape(-1, 6)
    triangles = [tuple(row) for row in sides.tolist()]
    bounds = np.stack([x - radius, y - radius, -x - radius, -y - radius])[:, :count]
    lengths = [2 * len(layer.cones) for layer in layers if layer.cones]
    starts = np.cumsum([0, *lengths[:-1]])
    boxes = iter(np.minimum.reduceat(bounds, starts, axis=1).T.tolist())
    outlines = []
    cone, side = 0, 0
    for layer in layers:
        its_table, blend = None, layer.blend * scale
        left = top = right = bottom = math.inf
        if layer.cones:
            next_cone = cone + len(layer.cones)
            its_table, cone = table[:, cone:next_cone], next_cone
            left, top, right, bottom = next(boxes)
        next_side = side + len(layer.triangles)
        its_sides, side = triangles[side:next_side], next_side
        for ax, ay, bx, by, cx, cy in its_sides:
            left, right = min(left, ax, bx, cx), min(right, -ax, -bx, -cx)
            top, bottom = min(top, ay, by, cy), min(bottom, -ay, -by, -cy)
        box = (left, top, -right, -bottom)
        outlines.append(Outline(its_table, its_sides, box, blend))
    return outlines
