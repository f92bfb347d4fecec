"""`Scenery`: grounds, and things that stand about in them; no creature's pattern."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .canvas import Canvas, Colour, Paint, column
from .draws import Draws, direction, hashed, units
from .figure import dot, limb
from .outline import Outline
from .textures import fractal_noise

_GROUNDS: tuple[tuple[Colour, Colour], ...] = (
    ((0.24, 0.34, 0.14), (0.50, 0.56, 0.26)),
    ((0.45, 0.37, 0.25), (0.70, 0.62, 0.46)),
    ((0.22, 0.17, 0.12), (0.47, 0.36, 0.24)),
    ((0.40, 0.40, 0.39), (0.66, 0.64, 0.60)),
    ((0.62, 0.55, 0.40), (0.84, 0.77, 0.60)),
    ((0.12, 0.20, 0.13), (0.30, 0.42, 0.24)),
    ((0.17, 0.27, 0.33), (0.40, 0.53, 0.58)),
    ((0.72, 0.75, 0.80), (0.92, 0.93, 0.95)),
    ((0.50, 0.28, 0.16), (0.74, 0.50, 0.30)),
)
_SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((0.45, 0.62, 0.84), (0.82, 0.87, 0.92)),
    ((0.62, 0.66, 0.70), (0.86, 0.86, 0.85)),
    ((0.80, 0.60, 0.45), (0.95, 0.83, 0.66)),
    ((0.20, 0.28, 0.24), (0.48, 0.58, 0.46)),
    ((0.35, 0.42, 0.55), (0.66, 0.70, 0.76)),
)
_ROCKS: tuple[Colour, ...] = (
    (0.45, 0.44, 0.43),
    (0.55, 0.48, 0.40),
    (0.35, 0.33, 0.33),
    (0.62, 0.60, 0.56),
)
_LEAVES: tuple[Colour, ...] = (
    (0.25, 0.38, 0.16),
    (0.40, 0.48, 0.20),
    (0.18, 0.30, 0.18),
    (0.55, 0.45, 0.18),
    (0.50, 0.28, 0.14),
)
_WOOD: tuple[Colour, ...] = (
    (0.33, 0.25, 0.18),
    (0.42, 0.37, 0.32),
    (0.24, 0.19, 0.16),
    (0.60, 0.58, 0.54),
)
_KINDS = ("rock", "bush", "grass", "branch", "trunk", "leaf", "stones")
_EACH = 7
_FIELDS = 5


class Sprite(NamedTuple):
    """A thing to paste.

    Attributes:
        colour: float32 (3, h, w), already multiplied by the cover.
        cover: float32 (h, w), opacity.
        solid: bool (h, w), where it hides what is behind.
    """

    colour: np.ndarray
    cover: np.ndarray
    solid: np.ndarray


class Scenery:
    """Grounds and things for pictures of one scale, made once.

    Args:
        unit: the shorter side of the pictures in pixels.
        side: the longer side in pixels.
    """

    def __init__(self, unit: int, side: int) -> None:
        self._span = span = side + unit
        across = max(4, 5 * span // unit)
        self._fields = [
            fractal_noise(
                hashed(500, number, shape),
                span,
                span,
                across * (1, 1, 4)[shape],
                across * (1, 5, 1)[shape],
                5,
            )
            for shape in range(3)
            for number in range(_FIELDS)
        ]
        self.grain = _grain(span)
        self.sprites = {
            kind: [_sprite(kind, unit, number) for number in range(_EACH)]
            for kind in _KINDS
        }

    def ground(self, canvas: Canvas, draws: Draws) -> None:
        """Fills a canvas: one ground, or ground and sky with a soft horizon."""
        pixels = canvas.inner
        dark, light = draws.pick(_GROUNDS)
        mix = self._field(draws, pixels.shape[1:], draws.whole(3))
        mix = (mix - 0.5) * draws.between(1.2, 2.6) + draws.between(0.3, 0.7)
        _mix(pixels, dark, light, mix)
        if draws.chance(0.5):
            self._sky(pixels, draws)

    def _sky(self, pixels: np.ndarray, draws: Draws) -> None:
        top, low = draws.pick(_SKIES)
        height, width = pixels.shape[1:]
        at, steep = draws.between(0.25, 0.6) * height, draws.between(0.4, 1.5)
        # No sky below: there the edge is 1 however rough it is.
        end = min(height, int(at + 0.08 * height * (2 + 1 / steep)) + 1)
        rows = np.arange(end, dtype=np.float32)[:, None]
        rough = self._field(draws, (height, width), 0)[:end] - 0.5
        edge = (rows - at) * (1 / (0.08 * height)) + rough * 4
        edge *= steep
        np.maximum(edge, 0, out=edge)
        np.minimum(edge, 1, out=edge)
        cloud = rough * 1.5
        cloud += rows * (1 / at)
        np.maximum(cloud, 0, out=cloud)
        np.minimum(cloud, 1, out=cloud)
        sky = np.empty((3, end, width), np.float32)
        _mix(sky, top, low, cloud)
        ground = pixels[:, :end]
        ground -= sky
        ground *= edge
        ground += sky

    def _field(self, draws: Draws, shape: tuple[int, ...], kind: int) -> np.ndarray:
        field = self._fields[kind * _FIELDS + draws.whole(_FIELDS)]
        top = draws.whole(self._span - shape[0] + 1)
        left = draws.whole(self._span - shape[1] + 1)
        found = field[top : top + shape[0], left : left + shape[1]]
        return found[:, ::-1] if draws.chance(0.5) else found

    def pick(self, draws: Draws, kinds: tuple[str, ...] = _KINDS) -> Sprite:
        """One of the things, perhaps mirrored."""
        sprite = draws.pick(self.sprites[draws.pick(kinds)])
        if draws.chance(0.5):
            return Sprite(
                sprite.colour[:, :, ::-1], sprite.cover[:, ::-1], sprite.solid[:, ::-1]
            )
        return sprite


def paste(
    canvas: Canvas, sprite: Sprite, x: float, y: float, tint: Colour, label: int = 0
) -> None:
    """Puts a thing with its middle at (x, y) of the picture."""
    high, wide = sprite.cover.shape
    left = int(x + canvas.margin - wide / 2 + 4096) - 4096
    top = int(y + canvas.margin - high / 2 + 4096) - 4096
    _, height, width = canvas.pixels.shape
    rows = slice(max(top, 0), min(top + high, height))
    columns = slice(max(left, 0), min(left + wide, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    inner = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    pixels = canvas.pixels[:, rows, columns]
    pixels *= 1 - sprite.cover[inner]
    pixels += sprite.colour[:, inner[0], inner[1]] * column(tint)
    labels = canvas.labels[rows, columns]
    labels[sprite.solid[inner]] = label


@lru_cache(maxsize=4)
def scenery(unit: int, side: int) -> Scenery:
    """The scenery for a scale, made at its first use."""
    return Scenery(unit, side)


def _mix(out: np.ndarray, first: Colour, second: Colour, share: np.ndarray) -> None:
    low, high = column(first), column(second)
    np.multiply(share, high - low, out=out)
    out += low


def _grain(span: int) -> np.ndarray:
    """Noise of a sensor: float32 (3, span, span), mean 0, standard deviation 1."""
    total = np.zeros((3, span, span), np.float32)
    for number in range(3):
        noise = units(hashed(600, number), 3 * span * span).astype(np.float32)
        total += noise.reshape(3, span, span) - np.float32(0.5)
    # A sum of three uniform numbers has the variance 3 / 12.
    return total * 2


def _sprite(kind: str, unit: int, number: int) -> Sprite:
    draws = Draws(700, _KINDS.index(kind), number)
    side = int(1.5 * unit)
    canvas = Canvas(side, side, 0)
    canvas.cover = cover = np.zeros((side, side), np.float32)
    _DRAW[kind](canvas, unit, side / 2, draws)
    rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
    window = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    cover = cover[window].copy()
    return Sprite(canvas.pixels[:, window[0], window[1]].copy(), cover, cover >= 0.5)


def _paint(colour: Colour, skin: str, unit: int, draws: Draws, relief: float) -> Paint:
    gain = draws.between(0.8, 1.2)
    shift = (128 * draws.unit() + 8192, 128 * draws.unit() + 8192)
    ground = column(colour)
    return Paint(ground, -0.4 * ground, skin, 96 / unit, (1, 0), shift, gain, relief)


def _rock(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    size = draws.between(0.07, 0.2) * unit
    paint = _paint(draws.pick(_ROCKS), "mottle", unit, draws, size)
    cones = [
        (
            middle + draws.between(-1, 0) * size,
            middle + draws.between(-0.3, 0.3) * size,
            draws.between(0.4, 0.8) * size,
            middle + draws.between(0, 1) * size,
            middle + draws.between(-0.3, 0.3) * size,
            draws.between(0.4, 0.8) * size,
        )
        for _ in range(3)
    ]
    canvas.paint(Outline.of(cones, (), 0.3 * size), paint, 1)


def _stones(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    colour = draws.pick(_ROCKS)
    for _ in range(7):
        size = draws.between(0.02, 0.06) * unit
        x = middle + draws.between(-0.22, 0.22) * unit
        y = middle + draws.between(-0.08, 0.08) * unit
        paint = _paint(colour, "mottle", unit, draws, size)
        run = draws.between(0.2, 0.8) * size
        canvas.paint(Outline.of([(x - run, y, size, x + run, y, size)]), paint, 1)


def _bush(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    colour = draws.pick(_LEAVES)
    size = draws.between(0.12, 0.24) * unit
    leaf = draws.between(0.025, 0.05) * unit
    count = 70
    for k in range(count):
        cosine, sine = direction(draws.unit())
        reach = size * (1 - draws.unit() * draws.unit())
        x, y = middle + reach * cosine, middle + 0.8 * reach * sine
        along, down = direction(draws.unit())
        gain = 0.45 + 0.8 * k / count + draws.between(-0.12, 0.12)
        shade: Colour = (colour[0] * gain, colour[1] * gain, colour[2] * gain)
        end = (x + 1.6 * leaf * along, y + 1.6 * leaf * down, 0.15 * leaf)
        canvas.fill(Outline.of([(x, y, 0.6 * leaf, *end)]), [shade], 1)


def _grass(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    colour = draws.pick(_LEAVES)
    for k in range(26):
        gain = 0.55 + 0.6 * k / 26 + draws.between(-0.1, 0.1)
        shade: Colour = (colour[0] * gain, colour[1] * gain, colour[2] * gain)
        x = middle + draws.between(-0.16, 0.16) * unit
        lean = draws.between(-0.06, 0.06)
        length = draws.between(0.14, 0.36) * unit
        blade = limb(
            x,
            middle + 0.18 * unit,
            0.013 * unit,
            -0.25 + lean,
            (0.6 * length, 0, 0.01 * unit),
            (0.4 * length, lean, 0.002 * unit),
        )
        canvas.fill(Outline.of(blade), [shade], 1)


def _branch(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    paint = _paint(draws.pick(_WOOD), "bark", unit, draws, 0.03 * unit)
    angle = draws.between(-0.08, 0.08)
    cosine, sine = direction(angle)
    radius = draws.between(0.02, 0.045) * unit
    length = draws.between(0.4, 0.9) * unit
    x, y = middle - 0.5 * length * cosine, middle - 0.5 * length * sine
    bones = limb(
        x,
        y,
        radius,
        angle,
        (0.5 * length, 0.02, 0.8 * radius),
        (0.5 * length, -0.03, 0.5 * radius),
    )
    twig = limb(
        bones[0][3], bones[0][4], 0.5 * radius, angle - 0.1, (0.3 * length, 0, 1)
    )
    axis = direction(angle + 0.25)
    canvas.paint(Outline.of([*bones, *twig]), paint._replace(axis=axis), 1)


def _trunk(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    radius = draws.between(0.035, 0.085) * unit
    paint = _paint(draws.pick(_WOOD), "bark", unit, draws, radius)
    lean = draws.between(-0.06, 0.06) * unit
    cone = (
        middle - lean,
        -2 * radius,
        0.85 * radius,
        middle + lean,
        3 * middle,
        1.4 * radius,
    )
    canvas.paint(Outline.of([cone]), paint, 1)


def _leaf(canvas: Canvas, unit: int, middle: float, draws: Draws) -> None:
    size = draws.between(0.08, 0.16) * unit
    colour = draws.pick(_LEAVES)
    paint = _paint(colour, "mottle", unit, draws, size)
    angle = draws.unit()
    blade = limb(
        middle,
        middle,
        0.1 * size,
        angle,
        (size, 0, 0.55 * size),
        (size, 0, 0.03 * size),
    )
    canvas.paint(Outline.of(blade), paint, 1)
    rib: Colour = (colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.6)
    stalk = limb(middle, middle, 0.05 * size, angle, (1.9 * size, 0, 0.02 * size))
    canvas.fill(Outline.of([*stalk, dot(middle, middle, 0.06 * size)]), [rib], 1)


_DRAW = {
    "rock": _rock,
    "bush": _bush,
    "grass": _grass,
    "branch": _branch,
    "trunk": _trunk,
    "leaf": _leaf,
    "stones": _stones,
}
