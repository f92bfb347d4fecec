"""`Figure`: the anatomy of one creature, as layers from back to front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from .canvas import Colour
from .draws import direction
from .outline import Cone, Triangle

PARTS = ("head", "body", "legs", "tail", "wings")
"""Names of the parts, in the order of all arrays."""

HEAD, BODY, LEGS, TAIL, WINGS = range(len(PARTS))


class Layer(NamedTuple):
    """A shape of one part.

    Attributes:
        part: index into `PARTS`.
        cones, triangles: in the creature's own frame: x forward, y up.
        colours: of a detail without texture, such as an eye, see `Canvas.fill`; empty
            for the coat's.
        angle: in turns, along which the skin's pattern runs.
        tone: how bright; the far side is darker.
        relief: depth over which the surface is rounded, in units of the frame.
        blend: over which joints are smoothed, in units of the frame.
        alpha: opacity.
    """

    part: int
    cones: Sequence[Cone]
    triangles: Sequence[Triangle] = ()
    colours: tuple[Colour, ...] = ()
    angle: float = 0.0
    tone: float = 1.0
    relief: float = 0.2
    blend: float = 0.0
    alpha: float = 1.0


class Figure:
    """Layers of one creature with all its parts, from back to front."""

    __slots__ = ("layers",)

    def __init__(self) -> None:
        self.layers: list[Layer] = []

    def add(self, *layers: Layer) -> None:
        """Puts layers in front of those before."""
        self.layers += layers


def limb(
    x: float, y: float, radius: float, angle: float, *bones: tuple[float, float, float]
) -> list[Cone]:
    """Cones joined end to end.

    Args:
        x, y, radius: of the root.
        angle: in turns, 0 forward, 1/4 up.
        bones: (length, turn in turns before it, radius at its end).
    """
    cones = []
    for length, turn, end in bones:
        angle += turn
        cosine, sine = direction(angle)
        next_x, next_y = x + length * cosine, y + length * sine
        cones.append((x, y, radius, next_x, next_y, end))
        x, y, radius = next_x, next_y, end
    return cones


def dot(x: float, y: float, radius: float) -> Cone:
    """A disc."""
    return (x, y, radius, x, y, radius)


def joined(limbs: Iterable[list[Cone]]) -> list[Cone]:
    """The cones of all limbs."""
    return list(chain.from_iterable(limbs))


def tip(cones: Sequence[Cone]) -> tuple[float, float]:
    """The end of a limb."""
    return cones[-1][3], cones[-1][4]


def posed(
    layers: Iterable[Layer], x: float, y: float, angle: float, size: float = 1.0
) -> list[Layer]:
    """Layers turned by `angle` turns, scaled by `size` and moved to (x, y)."""
    cosine, sine = direction(angle)
    cosine, sine = cosine * size, sine * size
    return [
        Layer(
            layer.part,
            [
                (
                    x + a * cosine - b * sine,
                    y + a * sine + b * cosine,
                    r * size,
                    x + c * cosine - d * sine,
                    y + c * sine + d * cosine,
                    q * size,
                )
                for a, b, r, c, d, q in layer.cones
            ],
            [
                (
                    x + a * cosine - b * sine,
                    y + a * sine + b * cosine,
                    x + c * cosine - d * sine,
                    y + c * sine + d * cosine,
                    x + e * cosine - f * sine,
                    y + e * sine + f * cosine,
                )
                for a, b, c, d, e, f in layer.triangles
            ],
            layer.colours,
            layer.angle + angle,
            layer.tone,
            layer.relief * size,
            layer.blend * size,
            layer.alpha,
        )
        for layer in layers
    ]
