"""The species: which organs they have, and where.

All share colours and skins; only the shapes of the parts tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable

from .draws import Draws
from .figure import BODY, LEGS, PARTS, TAIL, Figure, Layer, dot, limb, posed, tip
from .heads import (
    bird_head,
    dragon_head,
    fox_head,
    insect_head,
    lizard_head,
    ram_head,
)
from .organs import (
    bushy_tail,
    fan_tail,
    feathered_wing,
    glass_wing,
    legs,
    long_tail,
    skin_wing,
    stump_tail,
    tufted_tail,
)


def _fox(figure: Figure, draws: Draws) -> None:
    neck = limb(0.38, 0.08, 0.25, draws.between(0.08, 0.16), (0.36, 0, 0.19))
    far, near = legs(((0.42, -0.1), (-0.48, -0.05)), 0.78, 0.17, draws)
    x, y = tip(neck)
    figure.add(
        far,
        bushy_tail(-0.62, 0.1, draws),
        Layer(
            BODY,
            [(-0.46, 0.02, 0.29, 0.36, -0.02, 0.3), *neck],
            relief=0.26,
            blend=0.16,
        ),
        near,
        *posed(fox_head(draws), x + 0.06, y + 0.08, draws.between(-0.06, 0.05), 1.2),
    )


def _ram(figure: Figure, draws: Draws) -> None:
    neck = limb(0.42, 0.12, 0.28, draws.between(0.06, 0.14), (0.36, 0, 0.2))
    far, near = legs(((0.38, -0.2), (-0.42, -0.2)), 0.72, 0.13, draws, 0.08)
    x, y = tip(neck)
    wool = [dot(-0.52 + 0.25 * k, 0.2 + 0.05 * (k % 2), 0.25) for k in range(5)]
    figure.add(
        far,
        stump_tail(-0.7, 0.16, draws),
        Layer(
            BODY,
            [(-0.44, 0.02, 0.38, 0.38, 0.02, 0.36), *neck, *wool],
            relief=0.3,
        ),
        near,
        *posed(ram_head(draws), x + 0.06, y + 0.06, draws.between(-0.08, 0.03), 1.2),
    )


def _lizard(figure: Figure, draws: Draws) -> None:
    bow = draws.between(-0.02, 0.02)
    trunk = limb(
        -0.55, 0, 0.2, bow, (0.55, 0, 0.27), (0.55, -bow, 0.22), (0.2, 0, 0.18)
    )
    far, near = legs(((0.45, -0.06), (-0.5, -0.06)), 0.5, 0.13, draws, 0.2, 0.1)
    tail = long_tail(-0.58, 0, 0.19, draws, 1.2)
    x, y = tip(trunk)
    figure.add(
        far,
        Layer(TAIL, tail, angle=0.5, relief=0.13),
        Layer(BODY, trunk, relief=0.2, blend=0.1),
        near,
        *posed(lizard_head(draws), x + 0.16, y, draws.between(-0.04, 0.07), 1.2),
    )


def _heron(figure: Figure, draws: Draws) -> None:
    pitch = draws.between(0.04, 0.09)
    trunk = limb(-0.42, -0.14, 0.2, pitch, (0.4, 0, 0.36), (0.35, 0, 0.26))
    x, y = tip(trunk)
    neck = limb(
        x, y, 0.2, draws.between(0.16, 0.23), (0.3, 0, 0.14), (0.22, -0.03, 0.13)
    )
    wings = draws.between(0.32, 0.5)
    near = feathered_wing(0.06, 0.1, wings, 0.8, 1.0)
    far = feathered_wing(0.14, 0.18, wings - draws.between(0.04, 0.08), 0.75, 0.62)
    far_leg, near_leg = legs(((-0.02, -0.22),), 0.85, 0.09, draws, 0.2, 0.05)
    x, y = tip(neck)
    figure.add(
        *far,
        far_leg,
        *fan_tail(-0.5, -0.16, draws),
        near_leg,
        Layer(BODY, [*trunk, *neck], relief=0.25, blend=0.12),
        *posed(
            bird_head(draws, draws.between(0.5, 0.62), False, True),
            x,
            y + 0.1,
            draws.between(-0.07, 0.05),
            1.1,
        ),
        *near,
    )


def _wasp(figure: Figure, draws: Draws) -> None:
    droop = draws.between(-0.06, 0.04)
    belly = limb(
        -0.2,
        0.05,
        0.08,
        0.5 - droop,
        (0.24, 0, 0.25),
        (0.3, 0.02, 0.24),
        (0.3, 0.02, 0.1),
    )
    sting = limb(*tip(belly), 0.06, 0.5 - droop + 0.05, (0.22, 0.02, 0.01))
    wings = draws.between(0.28, 0.4)
    gap = draws.between(0.05, 0.08)
    thin = []
    for k in range(3):
        x = 0.05 + 0.16 * k
        for side in range(2):
            lean = 0.09 * (k - 1) + draws.between(-0.03, 0.03)
            bones = limb(
                x + 0.08 * side,
                -0.12,
                0.055,
                -0.25 + lean + 0.1 * (k - 1),
                (0.36, 0, 0.045),
                (0.4, -0.13 * (k - 1), 0.03),
            )
            thin.append((side, bones))
    far_legs = [cone for side, bones in thin if side for cone in bones]
    near_legs = [cone for side, bones in thin if not side for cone in bones]
    figure.add(
        *glass_wing(0.2, 0.2, wings - gap, 0.95, 0.8),
        Layer(LEGS, far_legs, tone=0.6, relief=0.05, angle=0.25),
        Layer(
            BODY,
            [*belly, *sting, dot(0.16, 0.06, 0.27)],
            relief=0.2,
            angle=0.25 - droop,
        ),
        Layer(LEGS, near_legs, relief=0.05, angle=0.25),
        *posed(insect_head(draws), 0.52, 0.06, draws.between(-0.06, 0.06), 1.15),
        *glass_wing(0.14, 0.24, wings, 1.0, 1.05),
        *glass_wing(0.1, 0.2, wings + gap, 0.7, 1.0),
    )


def _dragon(figure: Figure, draws: Draws) -> None:
    neck = limb(
        0.34, 0.1, 0.24, draws.between(0.14, 0.2), (0.3, 0, 0.17), (0.26, -0.05, 0.16)
    )
    far, near = legs(((0.36, -0.14), (-0.44, -0.1)), 0.62, 0.17, draws, 0.16)
    tail = long_tail(-0.6, 0.02, 0.2, draws, 1.1)
    end_x, end_y = tip(tail)
    spade = [(end_x + 0.05, end_y, 0.13, end_x - 0.22, end_y + 0.02, 0.01)]
    wings = draws.between(0.22, 0.36)
    x, y = tip(neck)
    figure.add(
        *skin_wing(0.16, 0.24, wings - draws.between(0.05, 0.1), 0.75, 0.62),
        far,
        Layer(TAIL, [*tail, *spade], angle=0.5, relief=0.13),
        Layer(
            BODY,
            [(-0.44, 0.02, 0.28, 0.34, 0, 0.31), *neck],
            relief=0.24,
            blend=0.14,
        ),
        near,
        *posed(dragon_head(draws), x + 0.06, y + 0.06, draws.between(-0.1, 0.02), 1.15),
        *skin_wing(0.04, 0.2, wings, 0.8, 1.0),
    )


def _griffin(figure: Figure, draws: Draws) -> None:
    neck = limb(0.4, 0.1, 0.26, draws.between(0.12, 0.18), (0.36, 0, 0.2))
    far, near = legs(((0.42, -0.1), (-0.46, -0.06)), 0.76, 0.17, draws)
    wings = draws.between(0.24, 0.38)
    x, y = tip(neck)
    figure.add(
        *feathered_wing(0.18, 0.24, wings - draws.between(0.05, 0.1), 0.75, 0.62),
        far,
        *tufted_tail(-0.62, 0.1, draws),
        Layer(
            BODY,
            [(-0.44, 0.04, 0.28, 0.36, 0, 0.31), *neck],
            relief=0.26,
            blend=0.16,
        ),
        near,
        *posed(
            bird_head(draws, 0.4, True, False),
            x + 0.04,
            y + 0.08,
            draws.between(-0.07, 0.03),
            1.25,
        ),
        *feathered_wing(0.06, 0.2, wings, 0.8, 1.0),
    )


BUILD: dict[str, Callable[[Figure, Draws], None]] = {
    "fox": _fox,
    "ram": _ram,
    "lizard": _lizard,
    "heron": _heron,
    "wasp": _wasp,
    "dragon": _dragon,
    "griffin": _griffin,
}

ANATOMY: dict[str, tuple[str, ...]] = {
    "fox": ("head", "body", "legs", "tail"),
    "ram": ("head", "body", "legs", "tail"),
    "lizard": ("head", "body", "legs", "tail"),
    "heron": PARTS,
    "wasp": ("head", "body", "legs", "wings"),
    "dragon": PARTS,
    "griffin": PARTS,
}
"""The parts that each species has when none is left out by chance."""
