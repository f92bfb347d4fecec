"""Heads: they look along x from their neck at (0, 0), with a skull of about 0.3."""

from __future__ import annotations

from .canvas import Colour
from .draws import Draws
from .figure import HEAD, Layer, dot, joined, limb
from .outline import Cone

DARK: Colour = (0.06, 0.05, 0.06)
GLINT: Colour = (0.95, 0.95, 0.9)
HORN: tuple[Colour, ...] = ((0.62, 0.55, 0.42), (0.4, 0.35, 0.3), (0.75, 0.7, 0.6))
BEAK: tuple[Colour, ...] = ((0.85, 0.6, 0.15), (0.3, 0.28, 0.28), (0.75, 0.4, 0.2))
IRIS: tuple[Colour, ...] = ((0.75, 0.55, 0.1), (0.35, 0.5, 0.2), (0.5, 0.25, 0.1))
FACETS: tuple[Colour, ...] = ((0.4, 0.12, 0.1), (0.12, 0.2, 0.14), (0.1, 0.1, 0.12))

Head = list[Layer]


def eye(x: float, y: float, size: float, draws: Draws) -> Layer:
    """Iris, pupil, glint."""
    discs = [
        dot(x, y, size),
        dot(x + 0.1 * size, y, 0.68 * size),
        dot(x - 0.3 * size, y + 0.4 * size, 0.28 * size),
    ]
    return Layer(HEAD, discs, colours=(draws.pick(IRIS), DARK, GLINT))


def fox_head(draws: Draws) -> Head:
    """Two tall pointed ears, a pointed snout with a dark nose."""
    spread = draws.between(-0.015, 0.02)
    far = limb(-0.02, 0.2, 0.13, 0.21 - spread, (0.36, 0, 0.02))
    near = limb(-0.16, 0.14, 0.15, 0.3 + spread, (0.42, 0, 0.02))
    inner = limb(-0.17, 0.2, 0.075, 0.3 + spread, (0.28, 0, 0.01))
    return [
        Layer(HEAD, far, tone=0.72, relief=0.1, angle=0.25),
        Layer(
            HEAD,
            [dot(0, 0, 0.32), (0.1, -0.06, 0.22, 0.55, -0.17, 0.07), *near],
            relief=0.22,
            blend=0.12,
        ),
        Layer(HEAD, inner, colours=((0.3, 0.2, 0.18),)),
        Layer(HEAD, [dot(0.6, -0.15, 0.075)], colours=(DARK,)),
        eye(0.14, 0.06, 0.075, draws),
    ]


def ram_head(draws: Draws) -> Head:
    """A blunt long face, drooping ears and a thick horn that curls back and round."""
    curl = draws.between(0.12, 0.14)
    bones = [(0.22 - 0.012 * k, curl, 0.115 - 0.013 * k) for k in range(8)]
    horn = limb(0.06, 0.26, 0.12, 0.22, *bones)
    colour = draws.pick(HORN)
    ear = limb(-0.16, 0.08, 0.06, -0.4, (0.15, 0, 0.1), (0.14, 0.02, 0.03))
    far = [(a + 0.16, b + 0.05, r, c + 0.16, d + 0.05, q) for a, b, r, c, d, q in horn]
    shaded = (colour[0] * 0.6, colour[1] * 0.6, colour[2] * 0.6)
    return [
        Layer(HEAD, far[:4], colours=(shaded,)),
        Layer(
            HEAD,
            [dot(0, 0, 0.27), (0.04, -0.04, 0.24, 0.42, -0.24, 0.15)],
            relief=0.2,
            blend=0.1,
        ),
        Layer(HEAD, [dot(0.54, -0.24, 0.035)], colours=(DARK,)),
        eye(0.12, 0.07, 0.07, draws),
        Layer(HEAD, ear, tone=0.8, relief=0.1),
        Layer(HEAD, horn, colours=(colour,)),
        Layer(HEAD, [_thin(c) for c in horn[1::2]], colours=(shaded,)),
    ]


def _thin(cone: Cone) -> Cone:
    """A groove across a horn's bone."""
    x, y, radius, end_x, end_y, _ = cone
    run_x, run_y = end_x - x, end_y - y
    reach = 4 * radius
    return (
        x - run_y * reach,
        y + run_x * reach,
        0.022,
        x + run_y * reach,
        y - run_x * reach,
        0.022,
    )


def bird_head(draws: Draws, beak: float, hooked: bool, crest: bool) -> Head:
    """A round skull, a beak (its length), a large eye, perhaps a crest of feathers."""
    colour = draws.pick(BEAK)
    layers: Head = []
    if crest:
        plumes = [
            limb(-0.1, 0.18, 0.07, 0.36 + 0.05 * k, (0.26, 0, 0.06), (0.2, 0.04, 0.015))
            for k in range(4)
        ]
        layers.append(Layer(HEAD, joined(plumes), tone=0.85, relief=0.05))
    if hooked:
        upper = limb(0.16, 0.04, 0.17, -0.02, (0.24, 0, 0.11), (0.2, -0.13, 0.015))
    else:
        upper = limb(0.16, 0.02, 0.13, -0.02, (beak, 0, 0.015))
    layers += [
        Layer(HEAD, upper, colours=(colour,)),
        Layer(HEAD, [dot(0, 0, 0.3), (0, 0, 0.28, 0.1, -0.02, 0.22)], relief=0.24),
        eye(0.11, 0.07, 0.095, draws),
    ]
    return layers


def lizard_head(draws: Draws) -> Head:
    """A flat wedge with a mouth line and an eye on top."""
    tongue = draws.chance(0.3)
    layers = [
        Layer(
            HEAD,
            [(-0.02, 0, 0.25, 0.5, -0.05, 0.1), (-0.2, 0.02, 0.2, 0.1, 0.12, 0.15)],
            relief=0.16,
            blend=0.08,
        ),
        Layer(HEAD, [(0.12, -0.1, 0.014, 0.58, -0.08, 0.014)], colours=(DARK,)),
        Layer(HEAD, [dot(0.14, 0.16, 0.11)], tone=1.1, relief=0.08),
        eye(0.16, 0.17, 0.07, draws),
    ]
    if tongue:
        tongue_bones = limb(
            0.56, -0.08, 0.025, -0.02, (0.2, 0, 0.02), (0.1, 0.06, 0.01)
        )
        layers.insert(0, Layer(HEAD, tongue_bones, colours=((0.75, 0.25, 0.3),)))
    return layers


def dragon_head(draws: Draws) -> Head:
    """Heavy jaws, two straight horns swept back, spikes on the jaw."""
    colour = draws.pick(HORN)
    lift = draws.between(-0.02, 0.03)
    shaded = (colour[0] * 0.65, colour[1] * 0.65, colour[2] * 0.65)
    return [
        Layer(
            HEAD,
            limb(0.02, 0.18, 0.08, 0.4 - lift, (0.3, 0, 0.06), (0.3, -0.05, 0.01)),
            colours=(shaded,),
        ),
        Layer(HEAD, [(0, -0.08, 0.2, 0.48, -0.24, 0.08)], tone=0.7, relief=0.12),
        Layer(
            HEAD,
            [
                dot(-0.04, 0, 0.29),
                (0, 0.02, 0.24, 0.56, -0.04, 0.13),
                dot(0.6, 0, 0.11),
            ],
            relief=0.18,
            blend=0.1,
        ),
        Layer(
            HEAD,
            limb(-0.1, 0.16, 0.1, 0.44 - lift, (0.34, 0, 0.07), (0.34, -0.06, 0.01)),
            colours=(colour,),
        ),
        Layer(HEAD, limb(-0.16, -0.14, 0.07, 0.55, (0.24, 0, 0.01)), colours=(colour,)),
        Layer(HEAD, [dot(0.64, 0.04, 0.03)], colours=(DARK,)),
        eye(0.1, 0.1, 0.07, draws),
    ]


def insect_head(draws: Draws) -> Head:
    """A big faceted eye, jaws, two long feelers."""
    bend = draws.between(-0.09, -0.03)
    feelers: list[Cone] = []
    for k in range(2):
        feelers += limb(
            0.1,
            0.18,
            0.03,
            0.2 - 0.07 * k,
            (0.3, 0, 0.026),
            (0.3, bend, 0.02),
            (0.05, bend, 0.045),
        )
    jaw = limb(0.2, -0.12, 0.08, -0.08, (0.16, 0, 0.05), (0.12, -0.12, 0.01))
    return [
        Layer(HEAD, feelers, colours=((0.1, 0.09, 0.08),)),
        Layer(HEAD, jaw, colours=((0.2, 0.12, 0.08),)),
        Layer(HEAD, [dot(0, 0, 0.28), dot(0.08, -0.06, 0.24)], relief=0.2),
        Layer(
            HEAD,
            [(0.08, 0.12, 0.13, 0.14, -0.02, 0.12)],
            colours=(
                draws.pick(((0.4, 0.12, 0.1), (0.12, 0.2, 0.14), (0.1, 0.1, 0.12))),
            ),
        ),
        Layer(HEAD, [dot(0.06, 0.14, 0.03)], colours=(GLINT,)),
    ]
