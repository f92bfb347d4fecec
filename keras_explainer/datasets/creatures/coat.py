"""`Coat`: an individual's colours and patterns, part by part."""

from __future__ import annotations

from .canvas import Colour, Paint, column
from .draws import Draws, direction
from .figure import BODY, HEAD, LEGS, PARTS, TAIL, WINGS

# No colour belongs to a species, nor to a part.
_COLOURS: tuple[Colour, ...] = (
    (0.62, 0.33, 0.16),
    (0.78, 0.64, 0.44),
    (0.52, 0.51, 0.50),
    (0.34, 0.39, 0.46),
    (0.31, 0.21, 0.14),
    (0.90, 0.84, 0.72),
    (0.17, 0.15, 0.16),
    (0.47, 0.45, 0.24),
    (0.33, 0.41, 0.26),
    (0.73, 0.51, 0.20),
    (0.56, 0.22, 0.15),
    (0.42, 0.51, 0.60),
    (0.22, 0.38, 0.40),
    (0.43, 0.28, 0.36),
)

# Each part has a pattern of its own in all species; bodies have one of three.
_SKINS: dict[int, tuple[str, ...]] = {
    HEAD: ("speckle",),
    BODY: ("fur", "spots", "patches"),
    LEGS: ("scales",),
    TAIL: ("rings",),
    WINGS: ("barbs",),
}


class Coat:
    """Two colours, lighter and darker, and for each part how its pattern shows them.

    Args:
        draws: all random numbers come from here.
        scale: texels of the patterns per pixel.
    """

    def __init__(self, draws: Draws, scale: float) -> None:
        first = draws.pick(_COLOURS)
        apart = [c for c in _COLOURS if abs(_grey(c) - _grey(first)) > 0.2]
        second = draws.pick(apart)
        self._parts = []
        for part in range(len(PARTS)):
            pair = (first, second)
            if part != BODY and draws.chance(0.3):
                pair = (second, first)
            ground, pattern = (_varied(colour, draws) for colour in pair)
            strength = draws.between(0.55, 1.0)
            self._parts.append(
                (
                    column(ground),
                    column(_change(ground, pattern, strength)),
                    draws.pick(_SKINS[part]),
                    scale * draws.between(0.85, 1.25),
                    (128 * draws.unit() + 8192, 128 * draws.unit() + 8192),
                )
            )

    def paint(
        self, part: int, angle: float, tone: float, relief: float, alpha: float = 1.0
    ) -> Paint:
        """The surface of a part.

        Args:
            part: index into `PARTS`.
            angle: of the pattern in the picture, in turns, clockwise.
            tone: brightness.
            relief: in pixels.
            alpha: opacity.
        """
        ground, change, skin, scale, shift = self._parts[part]
        axis = direction(angle)
        return Paint(ground, change, skin, scale, axis, shift, tone, relief, alpha)


def _grey(colour: Colour) -> float:
    return 0.3 * colour[0] + 0.6 * colour[1] + 0.1 * colour[2]


def _varied(colour: Colour, draws: Draws) -> Colour:
    gain = draws.between(0.88, 1.12)
    red, green, blue = (value * gain + draws.between(-0.03, 0.03) for value in colour)
    return (red, green, blue)


def _change(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = ((b - a) * share for a, b in zip(first, second, strict=True))
    return (red, green, blue)
