"""`Composition`: one picture, put together from its random numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas, Colour, column
from .coat import Coat
from .draws import Draws, direction
from .figure import PARTS, Figure, limb
from .outline import Cone, Outline, Triangle
from .placement import Placed, place
from .scenery import Scenery, paste, scenery
from .species import BUILD

_SCENE, _BODY, _COAT, _FRONT = range(4)
_COUNT = len(PARTS)
DISTRACTOR = 2 * _COUNT + 1
"""First label of the distractors; before it come P parts, then P of companions."""
_SOMETIMES = range(2, _COUNT)
_FRONT_KINDS = ("rock", "bush", "grass", "trunk", "leaf", "branch")


@dataclass(frozen=True, slots=True)
class Composition:
    """How pictures are composed; `Creatures` says what the fields mean."""

    height: int
    width: int
    seed: int
    background_seed: int
    coat_seed: int
    left_out: frozenset[int]
    absent_share: float
    clutter: int
    distractors: int
    occluders: int
    companions: int

    @property
    def unit(self) -> int:
        """The shorter side in pixels."""
        return min(self.height, self.width)

    @property
    def margin(self) -> int:
        """Pixels around the picture in which parts are still counted."""
        return self.unit // 8

    def canvas(self) -> Canvas:
        """A canvas to draw pictures on, one after the other."""
        return Canvas(self.height, self.width, self.margin)

    def draw(self, canvas: Canvas, species: str, index: int) -> np.ndarray:
        """Draws picture number `index` on the canvas, 0 to 255, and its labels.

        Returns:
            int64 (P,): pixels that each part of the main creature had before things
            were put in front of it, in the picture and the margin around it.
        """
        stage = scenery(self.unit, max(self.height, self.width))
        scene, body, front, coat_draws = Draws.several(
            (self.background_seed, _SCENE, index),
            (self.seed, _BODY, index),
            (self.seed, _FRONT, index),
            (self.coat_seed, _COAT, index),
        )
        canvas.labels.fill(0)
        canvas.light = (scene.between(-0.35, 0.35), -0.42)
        stage.ground(canvas, scene)
        for _ in range(scene.whole(self.clutter + 1)):
            x, y = scene.unit() * self.width, scene.between(0.25, 1.05) * self.height
            paste(canvas, stage.pick(scene), x, y, _tint(scene))
        placed = self._placed(species, body, 0.7, 0.94)
        coat = Coat(coat_draws, 96 / self.unit)
        for _ in range(front.whole(self.distractors + 1)):
            self._distractor(canvas, coat, front, placed)
        for number in range(front.whole(self.companions + 1)):
            other = self._placed(species, front, 0.4, 0.6)
            _shadow(canvas, other)
            its_coat = Coat(Draws(self.coat_seed, _COAT, index, number), 96 / self.unit)
            other.paint(canvas, its_coat, 1 + _COUNT, self._hidden(front))
        _shadow(canvas, placed)
        placed.paint(canvas, coat, 1, self._hidden(body))
        whole = [np.count_nonzero(canvas.labels == 1 + k) for k in range(_COUNT)]
        for _ in range(front.whole(self.occluders + 1)):
            self._occluder(canvas, stage, front, placed)
        self._finish(canvas, stage, scene)
        return np.array(whole)

    def _placed(self, species: str, draws: Draws, low: float, high: float) -> Placed:
        """A creature, with all its parts."""
        figure = Figure()
        BUILD[species](figure, draws)
        return place(
            figure,
            turn=draws.between(-0.06, 0.06),
            mirrored=draws.chance(0.5),
            size=draws.between(low, high) * self.unit,
            room=(self.height, self.width),
            over=0.1,
            at=(draws.unit(), draws.unit()),
        )

    def _hidden(self, draws: Draws) -> set[int]:
        """The parts of a creature that are not drawn."""
        chance = {part for part in _SOMETIMES if draws.chance(self.absent_share)}
        return chance | self.left_out

    def _distractor(
        self, canvas: Canvas, coat: Coat, draws: Draws, placed: Placed
    ) -> None:
        part = draws.whole(_COUNT)
        middle_x, middle_y = placed.middle
        farthest, x, y = -1.0, 0.0, 0.0
        for _ in range(3):
            to_x = draws.between(0.06, 0.94) * self.width
            to_y = draws.between(0.06, 0.94) * self.height
            off_x, off_y = to_x - middle_x, to_y - middle_y
            if (far := off_x * off_x + off_y * off_y) > farthest:
                farthest, x, y = far, to_x, to_y
        size = draws.between(0.08, 0.14) * self.unit
        cones, triangles = _odd_shape(x, y, size, draws)
        paint = coat.paint(part, draws.unit(), draws.between(0.8, 1.1), 0.6 * size)
        canvas.paint(Outline.of(cones, triangles), paint, DISTRACTOR + part)

    def _occluder(
        self, canvas: Canvas, stage: Scenery, draws: Draws, placed: Placed
    ) -> None:
        part = draws.pick(sorted({layer.part for layer, _ in placed.layers}))
        boxes = [outline.box for layer, outline in placed.layers if layer.part == part]
        left, top, right, bottom = draws.pick(boxes)
        x = 0.5 * (left + right) + draws.between(-0.06, 0.06) * self.unit
        y = 0.5 * (top + bottom) + draws.between(-0.06, 0.06) * self.unit
        sprite = stage.pick(draws, _FRONT_KINDS)
        if len(sprite.cover) > self.unit:
            y = 0.5 * self.height
        paste(canvas, sprite, x, y, _tint(draws))

    def _finish(self, canvas: Canvas, stage: Scenery, draws: Draws) -> None:
        """Exposure, colour cast and grain; values are then 0 to 255, to be cut off."""
        gain = 255 * draws.between(0.82, 1.12)
        red, green, blue = (gain * draws.between(0.94, 1.06) for _ in range(3))
        strength = 255 * draws.between(0.008, 0.03)
        top = draws.whole(stage.grain.shape[1] - self.height + 1)
        left = draws.whole(stage.grain.shape[2] - self.width + 1)
        grain = stage.grain[:, top : top + self.height, left : left + self.width]
        # The margin too: whole arrays are faster than a window of them.
        canvas.pixels *= column((red, green, blue))
        canvas.inner += grain * strength
        # Half a step more, for a conversion to whole numbers that cuts off.
        canvas.pixels += 0.5
        np.clip(canvas.pixels, 0, 255, out=canvas.pixels)


def _tint(draws: Draws) -> Colour:
    gain = draws.between(0.75, 1.15)
    return (
        gain * draws.between(0.92, 1.08),
        gain * draws.between(0.92, 1.08),
        gain * draws.between(0.92, 1.08),
    )


def _odd_shape(
    x: float, y: float, size: float, draws: Draws
) -> tuple[list[Cone], list[Triangle]]:
    """A bar, a boulder, a slab or an elbow of about `size` pixels: no part's shape."""
    kind, angle = draws.whole(4), draws.unit()
    along, down = direction(angle)
    if kind == 0:
        reach = 1.5 * size
        bar = (x - reach * along, y - reach * down, 0.45 * size)
        return [(*bar, x + reach * along, y + reach * down, 0.45 * size)], []
    if kind == 1:
        cones = []
        for _ in range(3):
            from_x = x + draws.between(-0.8, 0.8) * size
            from_y = y + draws.between(-0.5, 0.5) * size
            radius = draws.between(0.4, 0.7) * size
            cones.append((x, y, 0.6 * size, from_x, from_y, radius))
        return cones, []
    if kind == 2:
        wide, high = 1.1 * size, draws.between(0.7, 1.0) * size
        corners = [
            (
                x + a * wide * along - b * high * down,
                y + a * wide * down + b * high * along,
            )
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        first, second, third, fourth = corners
        return [], [(*first, *second, *third), (*first, *third, *fourth)]
    return limb(
        x - size * along,
        y - size * down,
        0.4 * size,
        angle,
        (1.3 * size, 0, 0.4 * size),
        (1.3 * size, 0.25, 0.4 * size),
    ), []


def _shadow(canvas: Canvas, placed: Placed) -> None:
    """A soft dark patch on the ground below a figure."""
    left, _, right, bottom = placed.box
    wide = right - left
    canvas.darken(0.5 * (left + right), bottom - 0.02 * wide, 0.5 * wide, 0.1 * wide)
