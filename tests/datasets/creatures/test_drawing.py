"""What creatures are drawn with: random numbers, outlines, surfaces, anatomy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keras_explainer.datasets.creatures.canvas import Canvas, Paint, column
from keras_explainer.datasets.creatures.draws import Draws, direction, hashed, units
from keras_explainer.datasets.creatures.figure import PARTS, Figure, limb, posed
from keras_explainer.datasets.creatures.outline import Outline
from keras_explainer.datasets.creatures.placement import place
from keras_explainer.datasets.creatures.species import ANATOMY, BUILD
from keras_explainer.datasets.creatures.textures import (
    SKINS,
    TILE,
    fractal_noise,
    lattice_noise,
    skin,
)

MASK = (1 << 64) - 1


def splitmix(key, count):
    """Steele, Lea and Flood's generator, one number after the other."""
    found, state = [], key
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        found.append(((z ^ (z >> 31)) >> 11) * 2.0**-53)
    return found


@pytest.mark.parametrize("count", [1, 95, 96, 97, 300])
def test_numbers_are_those_of_splitmix(count):
    for key in (0, 1, 12345, MASK):
        assert units(key, count).tolist() == splitmix(key, count)


def test_known_splitmix_numbers():
    """Of seed 1234567, as published with the generator."""
    words = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert units(1234567, 3).tolist() == [(w >> 11) * 2.0**-53 for w in words]


def test_streams_depend_on_all_of_their_key():
    keys = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 1, 2), (2, 1, 0), (1 << 70, 3)]
    first = [Draws(*key).unit() for key in keys]
    assert len(set(first)) == len(keys)
    together = Draws.several(*keys)
    for key, stream in zip(keys, together, strict=True):
        alone = Draws(*key)
        assert [stream.unit() for _ in range(250)] == [alone.unit() for _ in range(250)]


def test_draws_are_uniform():
    draws = Draws(7)
    values = np.array([draws.unit() for _ in range(5000)])
    assert np.bincount((values * 10).astype(int)).min() > 400
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.05
    assert {draws.whole(3) for _ in range(99)} == {0, 1, 2}
    assert np.mean([draws.chance(0.3) for _ in range(3000)]) == pytest.approx(
        0.3, abs=0.04
    )
    assert {draws.pick("ab") for _ in range(50)} == {"a", "b"}
    between = [draws.between(-2, 3) for _ in range(2000)]
    assert -2 <= min(between) < -1.9 and 2.9 < max(between) < 3


@given(st.floats(-5, 5))
def test_directions(turns):
    cosine, sine = direction(turns)
    assert cosine == pytest.approx(math.cos(2 * math.pi * turns), abs=1e-9)
    assert sine == pytest.approx(math.sin(2 * math.pi * turns), abs=1e-9)


def cone_distance(x, y, cone):
    """To a segment less the radius at the nearest point of it."""
    ax, ay, a, bx, by, b = cone
    square = (bx - ax) ** 2 + (by - ay) ** 2
    if square < 1e-12:
        return math.hypot(x - ax, y - ay) - max(a, b)
    t = min(max(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / square, 0), 1)
    off = math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
    return off - (a + t * (b - a))


number = st.floats(-5, 40)
cones = st.tuples(number, number, st.floats(0, 9), number, number, st.floats(0, 9))


@settings(max_examples=60, deadline=None)
@given(st.lists(cones, min_size=1, max_size=5), st.sampled_from([0.0, 4.0]))
def test_distance_to_cones(cones, blend):
    x, y = np.array([0.5, 7.5, 30.5], "f4"), np.array([[1.5], [20.5]], "f4")
    for ax, ay, _, bx, by, _ in cones:
        # Shorter ones are not drawn; their radius changes too fast for float32.
        assume(not 1e-6 < math.hypot(bx - ax, by - ay) < 1)
    found = Outline.of(cones, (), blend).distance(x, y)
    for row, column_ in np.ndindex(2, 3):
        at = float(x[column_]), float(y[row, 0])
        distances = [cone_distance(*at, cone) for cone in cones]
        expected = distances[0]
        for other in distances[1:]:
            near = max(blend - abs(expected - other), 0) / blend if blend else 0.0
            expected = min(expected, other) - near * near * blend / 4
        assert found[row, column_] == pytest.approx(expected, abs=2e-4)
    apart = Outline.of(cones).distances(x, y)
    assert apart.shape == (len(cones), 2, 3)
    assert apart[-1, 1, 0] == pytest.approx(
        cone_distance(0.5, 20.5, cones[-1]), abs=2e-4
    )


@settings(max_examples=60, deadline=None)
@given(st.tuples(*[number] * 6))
def test_distance_to_triangles(corners):
    """Its sign says inside or outside; inside, it is the distance to the next side."""
    points = np.array(corners).reshape(3, 2)
    first, second = points[1] - points[0], points[2] - points[0]
    turn = first[0] * second[1] - first[1] * second[0]
    sides = [math.dist(points[k], points[k - 1]) for k in range(3)]
    if abs(turn) < 5 or min(sides) < 1:
        return
    x, y = np.arange(36, dtype="f4") + 0.5, np.arange(36, dtype="f4")[:, None] + 0.5
    found = Outline.of((), [corners]).distance(x, y)
    for row, column_ in np.ndindex(36, 36):
        at = np.array([column_ + 0.5, row + 0.5])
        signed = []
        for k in range(3):
            run = points[(k + 1) % 3] - points[k]
            off = at - points[k]
            cross = off[0] * run[1] - off[1] * run[0]
            signed.append(cross * np.sign(turn) / math.hypot(*run))
        assert found[row, column_] == pytest.approx(max(signed), abs=1e-3)


def test_windows_hold_the_shape():
    """Every pixel that a shape covers is looked at, in the picture and its margin."""
    for seed in range(40):
        draws = Draws(seed)
        cones = [
            tuple(
                draws.between(-9, 50) if k % 3 < 2 else draws.between(0, 8)
                for k in range(6)
            )
            for _ in range(2)
        ]
        triangle = tuple(draws.between(-9, 50) for _ in range(6))
        outline = Outline.of(cones, [triangle])
        x, y = np.arange(-6, 46, dtype="f4") + 0.5, np.arange(-6, 36, dtype="f4") + 0.5
        # Beyond a triangle's corners the lines of its sides come near: not looked at.
        covered = Outline.of(cones).distance(x, y[:, None]) < 0.5
        window = outline.window(6, 42, 52)
        rest = covered.copy()
        if window is not None:
            rest[window] = False
        assert not rest.any()


def test_nothing_is_painted_outside_the_canvas():
    canvas = Canvas(20, 30, 4)
    before = canvas.pixels.copy()
    for x, y in ((-99, 5), (99, 5), (5, -99), (5, 99)):
        canvas.fill(Outline.of([(x, y, 3, x + 1, y, 3)]), [(1, 1, 1)], 1)
        canvas.darken(x, y, 3, 2)
    np.testing.assert_array_equal(canvas.pixels, before)
    assert not canvas.labels.any()


def test_a_disc_covers_its_area():
    canvas = Canvas(40, 40, 5)
    canvas.cover = np.zeros((50, 50), np.float32)
    disc = Outline.of([(17.3, 20.8, 9, 17.3, 20.8, 9)])
    canvas.fill(disc, [(1.0, 0.5, 0.25)], 3, alpha=0.5)
    area = math.pi * 81
    assert canvas.pixels[0].sum() == pytest.approx(0.5 * area, rel=0.005)
    assert canvas.pixels[2].sum() == pytest.approx(0.125 * area, rel=0.005)
    np.testing.assert_allclose(canvas.cover, canvas.pixels[0], atol=1e-6)
    assert (canvas.labels == 3).sum() == pytest.approx(area, rel=0.02)
    y, x = np.mgrid[:40, :40] + 0.5
    inside = np.hypot(x - 17.3, y - 20.8) <= 9
    np.testing.assert_array_equal(canvas.inner_labels == 3, inside)


def test_paint_shows_the_skin():
    """Without relief or light, a painted surface is the tile between two colours."""
    canvas = Canvas(30, 30, 0)
    canvas.light = (0.0, 0.0)
    paint = Paint(
        column((0.2, 0.3, 0.4)),
        column((0.5, 0.0, -0.2)),
        "spots",
        1.5,
        direction(0.1),
        (256.25, 270.5),
        tone=0.8,
        relief=0.01,
    )
    canvas.paint(Outline.of([(15, 15, 40, 15, 15, 40)]), paint, 1)
    tile = skin("spots").reshape(TILE, TILE)
    cosine, sine = direction(0.1)
    for row, column_ in ((3, 4), (20, 7), (29, 29)):
        x, y = 1.5 * (column_ + 0.5), 1.5 * (row + 0.5)
        along, across = x * cosine + y * sine + 256.25, y * cosine - x * sine + 270.5
        mix = tile[int(across) % TILE, int(along) % TILE]
        expected = np.array([0.2 + 0.5 * mix, 0.3, 0.4 - 0.2 * mix]) * 0.8 * 1.02
        np.testing.assert_allclose(canvas.pixels[:, row, column_], expected, atol=1e-5)


@pytest.mark.parametrize("name", SKINS)
def test_skins(name):
    tile = skin(name)
    assert tile.shape == (TILE * TILE,) and tile.dtype == np.float32
    assert tile.min() >= 0 and tile.max() <= 1 and tile.std() > 0.1
    assert not tile.flags.writeable
    fine = skin(name, 2).reshape(2 * TILE, 2 * TILE)
    np.testing.assert_array_equal(fine[::2, ::2].reshape(-1), tile)
    assert abs(fine.mean() - tile.mean()) < 0.02


def test_noise():
    noise = lattice_noise(3, 12, 20, 4, 5)
    assert noise.shape == (12, 20) and noise.dtype == np.float32
    lattice = units(hashed(3), 20).reshape(4, 5)
    np.testing.assert_allclose(noise[::3, ::4], lattice, atol=1e-6)
    middle = noise[0, 2]
    assert middle == pytest.approx((lattice[0, 0] + lattice[0, 1]) / 2, abs=1e-6)
    rough = fractal_noise(3, 64, 64, 4, 4, 4)
    assert rough.min() >= 0 and rough.max() <= 1
    assert (
        np.abs(np.diff(rough)).mean()
        > np.abs(np.diff(lattice_noise(3, 64, 64, 4, 4))).mean()
    )


def test_limbs_hang_together():
    bones = limb(1, 2, 0.5, 0.25, (3, 0, 0.4), (2, 0.25, 0.3))
    assert bones[0] == pytest.approx((1, 2, 0.5, 1, 5, 0.4))
    assert bones[1] == pytest.approx((1, 5, 0.4, -1, 5, 0.3))


@pytest.mark.parametrize("species", BUILD)
def test_anatomy(species):
    """A species has the parts that it is said to have, whatever the pose."""
    for seed in range(5):
        figure = Figure()
        BUILD[species](figure, Draws(seed))
        parts = {PARTS[layer.part] for layer in figure.layers}
        assert parts == set(ANATOMY[species])
        for layer in figure.layers:
            assert layer.cones or layer.triangles
            assert len(layer.colours) in (0, 1, len(layer.cones))


@pytest.mark.parametrize("species", BUILD)
def test_placement(species):
    """Turned, mirrored and scaled, a figure keeps its shape and fills its box."""
    figure = Figure()
    BUILD[species](figure, Draws(3))
    args = {"size": 80.0, "room": (90, 140), "over": 0.1}
    plain = place(figure, 0.0, False, at=(0, 0), **args)
    moved = place(figure, 0.07, True, at=(1, 1), **args)
    left, top, right, bottom = plain.box
    assert (left, top) == pytest.approx((-0.1 * (right - left), -0.1 * (bottom - top)))
    left, top, right, bottom = moved.box
    assert right == pytest.approx(140 + 0.1 * (right - left))
    assert bottom == pytest.approx(90 + 0.1 * (bottom - top))
    for placed in (plain, moved):
        boxes = np.array([outline.box for _, outline in placed.layers])
        found = (*boxes[:, :2].min(0), *boxes[:, 2:].max(0))
        np.testing.assert_allclose(found, placed.box, atol=1e-6)
        wide, high = boxes[:, 2].max() - boxes[:, 0].min(), np.ptp(boxes[:, [1, 3]])
        assert 0.8 * max(wide, high) + 0.2 * min(wide, high) == pytest.approx(80)
    # The first cone of each, against its own transformation by NumPy.
    for layer, outline in moved.layers:
        if not layer.cones:
            continue
        ax, ay, a, bx, by, _ = layer.cones[0]
        ux, uy, length, radius = outline.segments[2:6, 0, 0, 0]
        assert radius == pytest.approx(a * moved.scale, rel=1e-5)
        run = np.array([-(bx - ax), -(by - ay)]) * moved.scale
        assert length == pytest.approx(np.hypot(*run), abs=1e-3)
        angle = 2 * math.pi * 0.07
        turned = (
            run[0] * math.cos(angle) + run[1] * -math.sin(angle),
            run[0] * math.sin(angle) + run[1] * math.cos(angle),
        )
        np.testing.assert_allclose((ux * length, uy * length), turned, atol=1e-3)


def test_posed_layers():
    figure = Figure()
    BUILD["dragon"](figure, Draws(0))
    layers = posed(figure.layers, 0, 0, 0, 1)
    for a, b in zip(layers, figure.layers, strict=True):
        np.testing.assert_allclose(a.cones, b.cones)
        assert a[3:] == b[3:]
    twice = posed(posed(figure.layers, 1, 2, 0.1, 2.0), 0, 0, 0.2, 0.5)
    once = posed(figure.layers, *(0.5 * v for v in _turned(1, 2, 0.2)), 0.3, 1.0)
    for a, b in zip(twice, once, strict=True):
        np.testing.assert_allclose(a.cones, b.cones, atol=1e-8)
        np.testing.assert_allclose(a.triangles, b.triangles, atol=1e-8)
        assert a.relief == pytest.approx(b.relief)
        assert a.angle == pytest.approx(b.angle)


def _turned(x, y, turns):
    angle = 2 * math.pi * turns
    return (
        x * math.cos(angle) - y * math.sin(angle),
        x * math.sin(angle) + y * math.cos(angle),
    )
