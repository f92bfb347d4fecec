"""Legs, tails and wings that species are put together from."""

from __future__ import annotations

from itertools import pairwise

from .draws import Draws, direction
from .figure import LEGS, TAIL, WINGS, Layer, joined, limb, tip
from .outline import Cone, Triangle


def leg(
    x: float,
    y: float,
    length: float,
    lean: float,
    bend: float,
    thick: float,
    foot: float = 0.16,
) -> list[Cone]:
    """Thigh, shin and foot; `lean` forward and `bend` of the knee in turns."""
    return limb(
        x,
        y,
        thick,
        -0.25 + lean,
        (0.48 * length, 0, 0.62 * thick),
        (0.52 * length, -bend, 0.45 * thick),
        (foot, 0.25 + bend - lean, 0.38 * thick),
    )


def legs(
    places: tuple[tuple[float, float], ...],
    length: float,
    thick: float,
    draws: Draws,
    foot: float = 0.16,
    stride: float = 0.07,
) -> tuple[Layer, Layer]:
    """The far and the near legs at (x, y); front legs bend back, hind legs forward."""
    far: list[Cone] = []
    near: list[Cone] = []
    for x, y in places:
        lean = draws.between(-stride, stride)
        bend = draws.between(0.0, 0.06) * (1 if x > 0 else -1)
        near += leg(x, y, length, lean, bend, thick, foot)
        lean = draws.between(-stride, stride)
        far += leg(x + 0.12, y + 0.06, length, lean, bend, 0.92 * thick, foot)
    return (
        Layer(LEGS, far, tone=0.6, relief=0.09, angle=0.25),
        Layer(LEGS, near, relief=0.1, angle=0.25),
    )


def bushy_tail(x: float, y: float, draws: Draws) -> Layer:
    """Thick in the middle, pointed."""
    lift = draws.between(0.3, 0.53)
    curl = draws.between(-0.05, 0.05)
    bones = limb(
        x,
        y,
        0.08,
        lift,
        (0.25, 0, 0.17),
        (0.28, curl, 0.22),
        (0.26, curl, 0.16),
        (0.22, curl, 0.03),
    )
    return Layer(TAIL, bones, angle=lift + curl, relief=0.16, blend=0.06)


def tufted_tail(x: float, y: float, draws: Draws) -> tuple[Layer, Layer]:
    """Thin and curved with a tuft at its end."""
    lift = draws.between(0.36, 0.54)
    curl = draws.between(-0.09, -0.04) * (1 if draws.chance(0.7) else -1)
    bones = limb(x, y, 0.085, lift, *[(0.24, curl, 0.062)] * 4)
    end_x, end_y = tip(bones)
    tuft = limb(end_x, end_y, 0.07, lift + 4 * curl, (0.13, 0, 0.16), (0.2, 0, 0.02))
    return (
        Layer(TAIL, bones, angle=lift + 2 * curl, relief=0.08),
        Layer(TAIL, tuft, tone=0.8, angle=lift + 4 * curl, relief=0.12, blend=0.05),
    )


def stump_tail(x: float, y: float, draws: Draws) -> Layer:
    """Short and round."""
    lift = draws.between(0.36, 0.46)
    bones = limb(x, y, 0.14, lift, (0.2, 0, 0.18), (0.16, 0.03, 0.1))
    return Layer(TAIL, bones, angle=lift, relief=0.14)


def long_tail(
    x: float, y: float, radius: float, draws: Draws, length: float = 1.1
) -> list[Cone]:
    """Tapers to a point, in a wave."""
    lift = draws.between(0.46, 0.56)
    wave = draws.between(-0.07, 0.07)
    piece = length / 5
    turns = (0.0, wave, wave, -wave, -1.5 * wave)
    return limb(
        x,
        y,
        radius,
        lift,
        *[(piece, turn, radius * (0.8 - 0.18 * k)) for k, turn in enumerate(turns)],
    )


def fan_tail(x: float, y: float, draws: Draws) -> tuple[Layer, Layer]:
    """Five long feathers, spread, the middle ones in front."""
    lift = draws.between(0.44, 0.54)
    spread = draws.between(0.025, 0.05)
    feathers = [
        limb(x, y, 0.06, lift + k * spread, (0.4, 0, 0.11), (0.22, 0, 0.05))
        for k in (-2, 2, 0, -1, 1)
    ]
    return (
        Layer(TAIL, joined(feathers[:3]), angle=lift, tone=0.8, relief=0.06),
        Layer(TAIL, joined(feathers[3:]), angle=lift, relief=0.06),
    )


def feathered_wing(
    x: float, y: float, angle: float, size: float, tone: float
) -> list[Layer]:
    """An arm with rows of feathers that hang from it; `angle` of the arm in turns."""
    arm = limb(x, y, 0.13 * size, angle, (0.46 * size, 0, 0.1 * size))
    hand = limb(*tip(arm), 0.1 * size, angle + 0.08, (0.4 * size, 0, 0.05 * size))
    long: list[Cone] = []
    short: list[Cone] = []
    count = 6
    for k in range(count):
        place = k / (count - 1)
        bone, part = (arm[0], 2 * place) if place < 0.5 else (hand[0], 2 * place - 1)
        root_x = bone[0] + part * (bone[3] - bone[0])
        root_y = bone[1] + part * (bone[4] - bone[1])
        # From hanging back at the shoulder to nearly along the hand at its end.
        turn = angle + 0.27 - 0.21 * place
        length = (0.5 + 0.35 * place) * size
        long += limb(
            root_x,
            root_y,
            0.07 * size,
            turn,
            (0.7 * length, 0, 0.1 * size),
            (0.3 * length, 0, 0.015 * size),
        )
        short += limb(
            root_x, root_y, 0.08 * size, turn, (0.32 * length, 0, 0.09 * size)
        )
    axis = angle + 0.16
    return [
        Layer(WINGS, long, angle=axis, tone=0.8 * tone, relief=0.05 * size),
        Layer(WINGS, [*arm, *hand, *short], angle=axis, tone=tone, relief=0.08 * size),
    ]


def skin_wing(
    x: float, y: float, angle: float, size: float, tone: float
) -> list[Layer]:
    """A bat's: three long fingers with skin between them."""
    arm = limb(x, y, 0.09 * size, angle, (0.5 * size, 0, 0.07 * size))
    wrist_x, wrist_y = tip(arm)
    tips = []
    for k in range(4):
        cosine, sine = direction(angle + 0.02 + 0.1 * k)
        reach = (0.95 - 0.06 * k) * size
        tips.append((wrist_x + reach * cosine, wrist_y + reach * sine))
    skin: list[Triangle] = []
    for (ax, ay), (bx, by) in pairwise(tips):
        # Scalloped: the edge between two fingers is drawn in.
        mid_x = 0.4 * ax + 0.4 * bx + 0.2 * wrist_x
        mid_y = 0.4 * ay + 0.4 * by + 0.2 * wrist_y
        skin += [
            (wrist_x, wrist_y, ax, ay, mid_x, mid_y),
            (wrist_x, wrist_y, mid_x, mid_y, bx, by),
        ]
    last_x, last_y = tips[-1]
    mid_x = 0.3 * last_x + 0.5 * x + 0.2 * wrist_x
    mid_y = 0.3 * last_y + 0.5 * y + 0.2 * wrist_y
    skin += [
        (wrist_x, wrist_y, last_x, last_y, mid_x, mid_y),
        (wrist_x, wrist_y, mid_x, mid_y, x, y),
    ]
    fingers = [(wrist_x, wrist_y, 0.05 * size, a, b, 0.012 * size) for a, b in tips]
    return [
        Layer(WINGS, [], skin, angle=angle, tone=0.8 * tone, relief=0.5 * size),
        Layer(WINGS, [*arm, *fingers], angle=angle, tone=tone, relief=0.06 * size),
    ]


def glass_wing(
    x: float, y: float, angle: float, size: float, tone: float, alpha: float = 0.8
) -> list[Layer]:
    """An insect's: a long clear blade with veins."""
    blade = limb(
        x,
        y,
        0.05 * size,
        angle,
        (0.55 * size, 0, 0.2 * size),
        (0.5 * size, 0, 0.16 * size),
    )
    veins = limb(x, y, 0.022 * size, angle + 0.02, (1.05 * size, 0, 0.012 * size))
    veins += limb(x, y, 0.022 * size, angle - 0.02, (1.05 * size, 0, 0.012 * size))
    return [
        Layer(WINGS, blade, angle=angle, tone=tone, relief=0.3 * size, alpha=alpha),
        Layer(WINGS, veins, colours=((0.2, 0.17, 0.15),), alpha=alpha),
    ]
