"""`Canvas`: outlines painted with soft edges, and what each pixel shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from .outline import Outline
from .textures import TILE, skin

Colour = tuple[float, float, float]
"""(red, green, blue), 0 to 1."""

_SHADOW = 0.1


class Paint(NamedTuple):
    """What a shape's surface looks like.

    Attributes:
        ground: float32 (3, 1, 1), a colour.
        change: float32 (3, 1, 1), from it to that of the pattern, which the skin mixes.
        skin: name of the tile.
        scale: texels per pixel.
        axis: unit vector along which the tile's columns run.
        shift: of the tile, in texels, so large that no coordinate is negative.
        tone: brightness.
        relief: depth in pixels over which the surface is rounded.
        alpha: opacity.
    """

    ground: np.ndarray
    change: np.ndarray
    skin: str
    scale: float
    axis: tuple[float, float]
    shift: tuple[float, float]
    tone: float
    relief: float
    alpha: float = 1.0


class Canvas:
    """A picture with a margin around it, and what each pixel shows.

    Coordinates are pixels of the picture, (x, y) from its upper left corner, so that a
    pixel's centre lies at a half. Shapes may reach into the margin. Only sums,
    products, quotients, square roots and comparisons are used: these are the same on
    all platforms.

    Args:
        height, width: of the picture.
        margin: pixels around it.

    Attributes:
        pixels: float32 (3, height + 2 margin, width + 2 margin), about 0 to 1.
        labels: uint8 (height + 2 margin, width + 2 margin).
        inner, inner_labels: views of them without the margin.
        cover: opacity of what was painted, or None where it is not wanted; set it to
            zeros, float32 of the labels' shape, to have a thing that can be pasted.
        light: (x, y), direction to the light, as strong as it is.
    """

    def __init__(self, height: int, width: int, margin: int) -> None:
        self.margin = margin
        full = (height + 2 * margin, width + 2 * margin)
        self.pixels = np.zeros((3, *full), np.float32)
        self.labels = np.zeros(full, np.uint8)
        self.cover: np.ndarray | None = None
        self.light = (-0.25, -0.45)
        # Pictures of twice the size need texels of half the size.
        unit = min(height, width)
        self._detail = 1 if unit <= 128 else 2 if unit <= 256 else 4
        self._x, self._y = _centres(full[1], margin), _centres(full[0], margin)[:, None]
        rows, columns = slice(margin, margin + height), slice(margin, margin + width)
        self.inner = self.pixels[:, rows, columns]
        self.inner_labels = self.labels[rows, columns]

    def paint(self, outline: Outline, paint: Paint, label: int) -> None:
        """Paints a shape with a textured, lit surface, and labels its pixels."""
        window = outline.window(self.margin, *self.labels.shape)
        if window is None:
            return
        distance = outline.distance(self._x[window[1]], self._y[window[0]])
        colour = paint.change * self._sample(window, paint)
        colour += paint.ground
        colour *= self._shade(distance, paint.relief, paint.tone)
        opacity = self._cover(window, distance, paint.alpha, label)
        self._blend(window, colour, opacity)

    def fill(
        self,
        outline: Outline,
        colours: Sequence[Colour],
        label: int,
        alpha: float = 1.0,
    ) -> None:
        """Paints a shape without texture, and labels its pixels.

        In one colour; or as many discs or bars as there are colours, the first one
        containing the others.
        """
        window = outline.window(self.margin, *self.labels.shape)
        if window is None:
            return
        x, y = self._x[window[1]], self._y[window[0]]
        if len(colours) == 1:
            opacity = self._cover(window, outline.distance(x, y), alpha, label)
            self._blend(window, column(colours[0]), opacity)
            return
        distances = outline.distances(x, y)
        self._cover(window, distances[0], alpha, label)
        opacities = 0.5 - distances
        np.maximum(opacities, 0, out=opacities)
        np.minimum(opacities, alpha, out=opacities)
        for colour, opacity in zip(colours, opacities, strict=True):
            self._blend(window, column(colour), opacity)

    def darken(self, x: float, y: float, across: float, down: float) -> None:
        """A soft dark patch around (x, y), of these half axes in pixels."""
        box = (x - across, y - down, x + across, y + down)
        window = Outline(None, (), box).window(self.margin, *self.labels.shape)
        if window is None:
            return
        off_x = (self._x[window[1]] - x) * (1 / across)
        off_y = (self._y[window[0]] - y) * (1 / down)
        share = (1 - off_x * off_x) - off_y * off_y
        np.maximum(share, 0, out=share)
        share *= -_SHADOW
        share += 1
        self.pixels[:, window[0], window[1]] *= share

    def _cover(
        self,
        window: tuple[slice, slice],
        distance: np.ndarray,
        alpha: float,
        label: int,
    ) -> np.ndarray:
        """Labels what is inside; the opacity, float32 (h, w)."""
        opacity = 0.5 - distance
        np.putmask(self.labels[window], opacity >= 0.5, label)
        np.maximum(opacity, 0, out=opacity)
        np.minimum(opacity, 1, out=opacity)
        if alpha != 1:
            opacity *= alpha
        if self.cover is not None:
            cover = self.cover[window]
            cover += (1 - cover) * opacity
        return opacity

    def _blend(
        self, window: tuple[slice, slice], colour: np.ndarray, opacity: np.ndarray
    ) -> None:
        pixels = self.pixels[:, window[0], window[1]]
        change = colour - pixels
        change *= opacity
        pixels += change

    def _sample(self, window: tuple[slice, slice], paint: Paint) -> np.ndarray:
        """The skin at the pixels: float32 (h, w), 0 to 1."""
        x, y, tile = self._x[window[1]], self._y[window[0]], TILE * self._detail
        scale, shift = (
            paint.scale * self._detail,
            (paint.shift[0] * self._detail, paint.shift[1] * self._detail),
        )
        along, across = paint.axis[0] * scale, paint.axis[1] * scale
        index = (x * -across + (y * along + shift[1])).astype(np.int32)
        index &= tile - 1
        index *= tile
        column = (x * along + (y * across + shift[0])).astype(np.int32)
        column &= tile - 1
        index += column
        return skin(paint.skin, self._detail).take(index)

    def _shade(self, distance: np.ndarray, relief: float, tone: float) -> np.ndarray:
        """Light on a surface that is round at the edge and flat `relief` inside."""
        slope = distance * (1 / relief)
        slope += 1
        np.maximum(slope, 0, out=slope)
        np.minimum(slope, 1, out=slope)
        shade = slope * (-0.22 * tone)
        down = distance[2:] - distance[:-2]
        down *= 0.5 * tone * self.light[1]
        shade[1:-1] += down
        across = distance[:, 2:] - distance[:, :-2]
        across *= 0.5 * tone * self.light[0]
        shade[:, 1:-1] += across
        shade *= slope
        shade += 1.02 * tone
        return shade


def column(colour: Colour) -> np.ndarray:
    """A colour as float32 (3, 1, 1)."""
    return np.array(colour, np.float32).reshape(3, 1, 1)


@cache
def _centres(pixels: int, margin: int) -> np.ndarray:
    centres = np.arange(pixels, dtype=np.float32) + np.float32(0.5 - margin)
    centres.setflags(write=False)
    return centres
