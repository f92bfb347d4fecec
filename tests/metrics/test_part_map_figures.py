"""The map-based figures against their references, on every kind of scene."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_explainer.metrics import (
    PartMapFigures,
    concentration,
    constant_position,
    distinct_positions,
    filter_correlation,
    landmark_error,
    location_instability,
    part_tracking,
    positions,
    r2,
)

# NumPy alone; that tensors are taken is in `test_part_map_inputs`.
pytestmark = pytest.mark.one_backend
NAMES = [
    "location_instability",
    "part_tracking_share",
    "tracking_by_part",
    "landmark_error",
    "landmark_mean_predictor",
    "landmark_by_part",
    "distinct_positions",
    "concentration",
    "filter_correlation",
    "dead_filters",
    "filters",
]


def score(maps, centres, size, batches=None):
    figures = PartMapFigures()
    for batch in batches or [maps]:
        figures.update(batch)
    return figures.result(centres, size)


def assert_same(given, expected, tolerance=1e-6):
    assert list(given) == NAMES
    assert set(expected) == set(NAMES)
    for name in NAMES:
        a, b = given[name], expected[name]
        if isinstance(b, list):
            assert len(a) == len(b), name
        else:
            a, b = [a], [b]
        for x, y in zip(a, b, strict=True):
            if y is None:
                assert x is None, (name, given[name], expected[name])
            else:
                assert type(x) is (int if name in NAMES[-2:] else float), name
                assert math.isclose(x, y, rel_tol=0, abs_tol=tolerance), (name, x, y)


def test_equals_reference(scene, reference):
    assert_same(score(*scene), reference.figures(*scene))


def test_equals_first_definition(scene, shared_score, monkeypatch):
    if not scene[0].any():
        # It fails to reshape the maps of no filter; the definition has no pair then.
        monkeypatch.setattr(shared_score, "filter_correlation", lambda *_: None)
    with warnings.catch_warnings():
        # It takes means of nothing for one image, and says so.
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = shared_score.figures(*scene)
    assert_same(score(*scene), expected)


def test_scenes_are_telling(scene_maker):
    """The scenes exercise what they are meant to."""
    maps, centres, size = scene_maker(0)
    result = score(maps, centres, size)
    assert 0.2 < result["part_tracking_share"] < 0.9
    assert result["landmark_error"] < 0.8 * result["landmark_mean_predictor"]
    assert result["dead_filters"] == 1
    where = positions(maps, size)
    assert where.silent[:, where.live].any()
    tied = positions(scene_maker(1, levels=3)[0], size)
    assert len(np.unique(tied.strength)) < 5


def test_no_warning(scene):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        score(*scene)


def test_functions_equal_the_stream(scene):
    maps, centres, size = scene
    where = positions(maps, size)
    share, by_part = part_tracking(where, centres)
    landmarks = landmark_error(where, centres)
    pure = {
        "location_instability": location_instability(where, centres),
        "part_tracking_share": share,
        "tracking_by_part": by_part,
        "landmark_error": landmarks.error,
        "landmark_mean_predictor": landmarks.mean_predictor,
        "landmark_by_part": landmarks.by_part,
        "distinct_positions": distinct_positions(where),
        "concentration": concentration(maps, where),
        "filter_correlation": filter_correlation(maps, where.live),
        "dead_filters": int((~where.live).sum()),
        "filters": maps.shape[-1],
    }
    assert_same(score(maps, centres, size), pure, 1e-12)


def test_r2_by_filter(scene, reference):
    maps, centres, size = scene
    slow = reference.Scene(maps, centres, size)
    fast = r2(positions(maps, size), centres)
    for c in range(slow.filters):
        for p in range(slow.parts):
            expected = reference.r2(slow, c, p, range(slow.images))
            if fast[c, p] != expected:
                assert fast[c, p] == pytest.approx(expected, abs=1e-9)


def test_positions_by_hand():
    maps = np.zeros((2, 3, 4, 2))
    maps[0, 1, 2, 0] = maps[0, 2, 0, 0] = 5.0
    maps[1, :, :, 1] = 2.0
    where = positions(maps, (30, 80))
    assert where.cell.tolist() == [[6, 0], [0, 0]]
    assert where.pixels[0, 0].tolist() == [15.0, 50.0]
    assert where.pixels[1, 1].tolist() == [5.0, 10.0]
    assert where.strength.tolist() == [[5, 0], [0, 2]]
    assert where.silent.tolist() == [[False, True], [True, False]]
    assert where.live.all()
    assert where.diagonal == pytest.approx(math.hypot(30, 80))


def test_location_instability_by_hand():
    """Distances 0, 10, 20 of one filter: standard deviation 10 (N - 1)."""
    maps = np.zeros((3, 1, 1, 1)) + [[[[1.0]]], [[[2.0]]], [[[3.0]]]]
    centres = np.array([[[20.0, 20.0]], [[20.0, 30.0]], [[40.0, 20.0]]])
    where = positions(maps, (40, 40))
    assert location_instability(where, centres) == pytest.approx(
        10 / math.hypot(40, 40)
    )
    assert location_instability(where, centres, top=2) == pytest.approx(
        math.sqrt(50) / math.hypot(40, 40)
    )


def test_copies_of_one_filter(scene_maker):
    maps, centres, size = scene_maker(0)
    result = score(np.repeat(maps[..., :1], 9, -1), centres, size)
    assert result["distinct_positions"] == 1
    assert result["filter_correlation"] == pytest.approx(1)


def test_perfect_filter():
    """A filter that sits on the part tracks it, and predicts it."""
    rng = np.random.default_rng(0)
    cells = rng.integers(0, (12, 9), (60, 2))
    maps = np.zeros((60, 12, 9, 1))
    maps[np.arange(60), cells[:, 0], cells[:, 1]] = 1
    centres = (cells[:, None] + 0.5) * 10
    result = score(maps, centres, (120, 90))
    assert result["part_tracking_share"] == 1
    assert result["location_instability"] == pytest.approx(0, abs=1e-12)
    assert result["landmark_error"] < 0.01
    assert result["concentration"] == 1


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), data=st.data())
def test_split_into_batches_does_not_matter(scene_maker, seed, data):
    maps, centres, size = scene_maker(seed, images=data.draw(st.integers(1, 80)))
    images = len(maps)
    cuts = data.draw(st.lists(st.integers(0, images), max_size=6).map(sorted))
    split = score(maps, centres, size, np.split(maps, cuts))
    assert_same(split, score(maps, centres, size), 1e-10)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), order=st.permutations(range(24)))
def test_order_of_images_does_not_matter(scene_maker, seed, order):
    """Of the figures that split no halves."""
    maps, centres, size = scene_maker(seed, images=24)
    one = score(maps, centres, size)
    other = score(maps[order], centres[order], size)
    for name in (
        "location_instability",
        "distinct_positions",
        "concentration",
        "filter_correlation",
        "dead_filters",
    ):
        assert other[name] == pytest.approx(one[name], abs=1e-10), name


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    # Powers of two scale without rounding.
    exponents=st.lists(st.integers(-30, 30), min_size=6, max_size=6),
)
def test_scale_of_filters_does_not_matter(scene_maker, seed, exponents):
    maps, centres, size = scene_maker(seed, levels=seed % 9 or None)
    scaled = maps * np.exp2(exponents)
    one, other = positions(maps, size), positions(scaled, size)
    np.testing.assert_array_equal(one.cell, other.cell)
    np.testing.assert_array_equal(one.silent, other.silent)
    assert_same(score(scaled, centres, size), score(maps, centres, size), 1e-10)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), order=st.permutations(range(6)))
def test_order_of_filters_does_not_matter(scene_maker, seed, order):
    maps, centres, size = scene_maker(seed)
    one = score(maps, centres, size)
    assert_same(score(maps[..., order], centres, size), one, 1e-8)


def test_mean_far_above_spread(scene_maker):
    maps = scene_maker(0)[0]
    live = np.ones(maps.shape[-1], bool)
    expected = filter_correlation(maps, live)
    assert filter_correlation(maps + 1e6, live) == pytest.approx(expected, abs=1e-8)
    figures = PartMapFigures()
    for batch in np.split(maps + 1e6, [3, 20, 21]):
        figures.update(batch)
    result = figures.result(None, (10, 10))
    assert result["filter_correlation"] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("value", [0.5, 0.1, 1 / 3])
def test_constant_map_has_no_correlation(scene_maker, value):
    maps = scene_maker(0)[0]
    live = np.ones(maps.shape[-1] + 1, bool)
    more = np.concatenate([maps, np.full_like(maps[..., :1], value)], -1)
    assert filter_correlation(more, live) == filter_correlation(maps, live[1:])
    assert filter_correlation(more[..., -1:], live[:1]) is None


def test_without_centres(scene_maker):
    maps, centres, size = scene_maker(0)
    annotated, free = score(maps, centres, size), score(maps, None, size)
    assert list(free) == NAMES
    for name in NAMES[:6]:
        assert free[name] is None
    for name in NAMES[6:]:
        assert free[name] == annotated[name]


def test_reset(scene_maker):
    maps, centres, size = scene_maker(0)
    figures = PartMapFigures()
    figures.update(np.ones((3, 2, 2, 9)))
    assert figures.images == 3
    figures.reset()
    assert figures.images == 0
    figures.update(maps)
    assert figures.result(centres, size) == score(maps, centres, size)


def test_keeps_no_maps(scene_maker):
    """What is kept by image does not grow with the cells of a map."""
    kept = []
    for shape in ((2, 2), (20, 20)):
        figures = PartMapFigures()
        figures.update(scene_maker(0, images=64, shape=shape)[0])
        arrays = [*figures._cells, *figures._strengths, figures._concentration]
        arrays += [v for v in vars(figures._moments).values() if np.ndim(v)]
        # A view would keep its base alive.
        kept.append(sum((a if a.base is None else a.base).nbytes for a in arrays))
    assert kept[0] == kept[1]


def test_constant_position(scene_maker, reference):
    centres, size = scene_maker(0, absent=0.1)[1:]
    expected = reference.figures(np.ones((len(centres), 1, 1, 1)), centres, size)
    result = constant_position(centres, size)
    assert_same(result, expected)
    assert result["part_tracking_share"] == 0
    assert result["tracking_by_part"] == [0, 0]
    assert result["landmark_error"] == result["landmark_mean_predictor"]
    where = positions(np.ones((len(centres), 1, 1, 1)), size)
    assert (where.pixels == np.asarray(size) / 2).all()
    np.testing.assert_allclose(r2(where, centres), 0, atol=1e-12)


@pytest.mark.data
def test_constant_position_on_photographs(shared):
    """The figures that are known of these photographs' test rows."""
    table = shared / "animalparts" / "parts.csv"
    if not table.is_file():
        pytest.skip("animalparts/parts.csv is not in KERAS_EXPLAINER_SHARED")
    header, *lines = table.read_text().splitlines()
    rows = [
        dict(zip(header.split(","), line.split(","), strict=True)) for line in lines
    ]
    rows = [row for row in rows if row["split"] == "test"]
    results = []
    for name in sorted({row["name"] for row in rows}):
        centres = [
            [
                [float(row[f"{part}_{axis}"] or "nan") for axis in "yx"]
                for part in ("head", "legs")
            ]
            for row in rows
            if row["name"] == name
        ]
        results.append(constant_position(centres, (224, 224)))
    assert len(results) == 20
    mean = {
        name: np.mean([result[name] for result in results])
        for name in ("location_instability", "landmark_error")
    }
    assert mean["location_instability"] == pytest.approx(0.069, abs=5e-4)
    assert mean["landmark_error"] == pytest.approx(0.162, abs=5e-4)
