"""Figures that need true masks: against slow references, by hand, and bad input."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from reference import drawn_truth as slow

from keras_explainer.errors import DataError
from keras_explainer.metrics import positions
from keras_explainer.metrics.distractor_following import distractor_following
from keras_explainer.metrics.mask_iou import iou_table, mask_iou
from keras_explainer.metrics.part_presence import (
    area_under_curve,
    best_level,
    part_presence,
)

pytestmark = pytest.mark.one_backend  # NumPy alone


def part_scene(seed, images=40, shape=(5, 7), size=(31, 44), parts=2, filters=6):
    """Round parts; filters that follow them, one dead, one silent at times.

    The first filter of each part is weak where the part is absent.
    """
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.1, 0.9, (images, parts, 2)) * size
    centres[rng.random((images, parts)) < 0.25] = np.nan
    y, x = np.arange(size[0])[:, None] + 0.5, np.arange(size[1]) + 0.5
    masks = np.zeros((images, parts, *size), bool)
    maps = np.maximum(rng.normal(0, 1, (images, *shape, filters)), 0)
    for n, p in itertools.product(range(images), range(parts)):
        if np.isnan(centres[n, p, 0]):
            continue
        radius = rng.uniform(3, 7)
        off_y, off_x = y - centres[n, p, 0], x - centres[n, p, 1]
        masks[n, p] = off_y**2 + off_x**2 <= radius**2
        row, column = (centres[n, p] / size * shape).astype(int)
        for c in range(p, filters, parts):
            maps[n, row, column, c] += rng.uniform(0, 6)
    maps[rng.random(images) < 0.3, ..., 1] = 0
    maps[..., -1] = 0
    return maps, masks, centres, size


SCENES = {
    "odd, not square": part_scene(0),
    "tall map, wide image": part_scene(1, shape=(8, 3), size=(20, 45)),
    "one cell": part_scene(2, shape=(1, 1)),
    "map finer than the image": part_scene(3, shape=(30, 28), size=(20, 24), images=24),
    "few images": part_scene(4, images=7),
    "three parts, square": part_scene(5, parts=3, shape=(6, 6), size=(24, 24)),
    "ties": (lambda s: (np.round(s[0]), *s[1:]))(part_scene(6)),
    "always shown": part_scene(7, parts=1, filters=3),
}


@pytest.fixture(params=SCENES, scope="module")
def drawn(request):
    return SCENES[request.param]


def test_mask_iou_equals_reference(drawn):
    maps, masks, centres, size = drawn
    found = mask_iou(positions(maps, size), masks, centres, splits=4)
    expected = slow.mask_iou(maps, masks, centres, size, splits=4)
    assert found.iou == pytest.approx(expected[0], abs=1e-6)
    assert found.chance == pytest.approx(expected[1], abs=1e-6)
    assert found.by_part == pytest.approx(expected[2], abs=1e-6)


def test_other_slopes_and_levels():
    maps, masks, centres, size = SCENES["odd, not square"]
    where = positions(maps, size)
    for beta, level in ((4.0, 0.75), (2.0, 0.5), (7.0, 1.0)):
        found = mask_iou(where, masks, centres, beta=beta, level=level, splits=2)
        expected = slow.mask_iou(maps, masks, centres, size, beta, level, splits=2)
        assert found.iou == pytest.approx(expected[0], abs=1e-6)


def test_part_presence_equals_reference(drawn):
    maps, _, centres, size = drawn
    where = positions(maps, size)
    for level in (None, 0, 2.5):
        found = part_presence(where, centres, level=level, splits=4)
        expected = slow.part_presence(maps, centres, size, level, splits=4)
        for a, b in zip(found, expected, strict=True):
            assert a == pytest.approx(b, abs=1e-12)


def test_scenes_are_telling():
    """Filters of the scenes do track; masks and presence are better than chance."""
    maps, masks, centres, size = SCENES["odd, not square"]
    where = positions(maps, size)
    iou = mask_iou(where, masks, centres)
    assert iou.iou > 1.5 * iou.chance
    assert None not in iou.by_part
    presence = part_presence(where, centres)
    assert presence.auc > 0.6
    assert presence.precision > presence.prevalence
    assert mask_iou(where, masks, centres, threshold=1.1) == (None, None, [None, None])
    assert part_presence(where, centres, threshold=1.1) == (None,) * 4


def test_no_warning(drawn):
    maps, masks, centres, size = drawn
    where = positions(maps, size)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mask_iou(where, masks, centres, splits=2)
        part_presence(where, centres, splits=2)
        distractor_following(where, masks)


def test_perfect_mask_by_hand():
    """A part that is the filter's own area, wherever it moves: IoU 1."""
    rng = np.random.default_rng(0)
    shape, size = (6, 4), (36, 24)
    cells = rng.integers(0, 24, 40)
    maps = np.zeros((40, *shape, 1))
    maps.reshape(40, 24)[np.arange(40), cells] = 1
    masks = np.array([[slow.filter_area(c, size, shape, 4.0, 0.5)] for c in cells])
    where = positions(maps, size)
    found = mask_iou(where, masks, where.pixels)
    assert found.iou == 1
    assert found.by_part == [1]
    assert found.chance < 0.25
    # Half of each part's pixels, all inside the area: IoU is their share.
    masks[:, :, ::2] = False
    share = masks[0].sum() / slow.filter_area(cells[0], size, shape, 4.0, 0.5).sum()
    assert iou_table(where, masks)[0, 0, cells[0]] == pytest.approx(share)


def test_empty_masks_have_no_iou():
    maps, masks, _, size = part_scene(8)
    table = iou_table(positions(maps, size), masks)
    np.testing.assert_array_equal(np.isnan(table[..., 0]), ~masks.any((2, 3)))


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        np.float64, st.integers(2, 12), elements=st.sampled_from([-1, 0, 0.5, 1, 2, 3])
    ),
    st.data(),
)
def test_level_and_curve_equal_reference(strength, data):
    shown = np.array(
        data.draw(
            st.lists(st.booleans(), min_size=len(strength), max_size=len(strength))
        )
    )
    auc = area_under_curve(strength, shown)
    assert auc == pytest.approx(slow.area_under_curve(strength, shown), nan_ok=True)
    if shown.any():
        assert best_level(strength, shown) == slow.best_level(strength, shown)


def distractor_scene(seed, images=60, shape=(6, 5), size=(30, 35), filters=5):
    """A bar somewhere in most images; filter 0 follows it, 1 keeps off it."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((images, 2, *size), bool)
    maps = np.maximum(rng.normal(0, 1, (images, *shape, filters)), 0)
    for n in range(images):
        if rng.random() < 0.25:
            continue
        top, left = rng.integers(0, (size[0] - 9, size[1] - 9))
        masks[n, rng.integers(2), top : top + 9, left : left + 9] = True
        covered = masks[n].any(0)
        for c, wanted in ((0, True), (1, False)):
            for cell in range(shape[0] * shape[1]):
                row, column = divmod(cell, shape[1])
                y = int((row + 0.5) * size[0] / shape[0])
                x = int((column + 0.5) * size[1] / shape[1])
                maps[n, row, column, c] += 9 * (covered[y, x] == wanted)
    maps[rng.random(images) < 0.3, ..., 2] = 0
    maps[: images - 5, ..., 3] = 0
    maps[..., 4] = 0
    return maps, masks, size


@pytest.mark.parametrize("seed", [0, 1])
def test_distractor_following_equals_all_pairs(seed):
    maps, masks, size = distractor_scene(seed)
    found = distractor_following(positions(maps, size), masks)
    lies_on = slow.on_distractor(maps, masks, size)
    for c in range(maps.shape[-1]):
        fires = np.flatnonzero(maps[..., c].max((1, 2)) > 0)
        if len(fires) < 8:
            assert np.isnan(found.hits[c])
            assert not found.follows[c]
            continue
        table = lies_on[np.ix_(fires, fires)][..., c].astype(float)
        assert found.hits[c] == pytest.approx(table.trace() / len(fires))
        assert found.chance[c] == pytest.approx(table.mean())
        centred = table - table.mean(0) - table.mean(1)[:, None] + table.mean()
        variance = (centred**2).sum() / (len(fires) - 1)
        expected = (table.trace() - table.sum() / len(fires)) / np.sqrt(variance)
        assert found.deviations[c] == pytest.approx(expected, rel=1e-6)
    assert found.follows.tolist() == [True, False, False, False, False]
    assert found.share == pytest.approx(1 / 5)
    assert found.deviations[1] < -1


def test_variance_is_that_of_permutations():
    """The formula against many permutations, for a filter that takes no notice."""
    maps, masks, size = distractor_scene(2, images=30)
    lies_on = slow.on_distractor(maps[..., 2:3] + 0.1, masks, size)[..., 0]
    rng = np.random.default_rng(0)
    every = np.arange(30)
    hits = [lies_on[every, rng.permutation(30)].mean() for _ in range(4000)]
    found = distractor_following(positions(maps[..., 2:3] + 0.1, size), masks)
    deviation = (found.hits[0] - found.chance[0]) / found.deviations[0]
    assert np.mean(hits) == pytest.approx(found.chance[0], abs=4 * deviation / 60)
    assert np.std(hits) == pytest.approx(deviation, rel=0.06)


def test_where_filter_and_distractors_often_are_does_not_count():
    """A filter fixed on the spot where distractors often are follows nothing."""
    rng = np.random.default_rng(0)
    masks = np.zeros((50, 1, 12, 12), bool)
    masks[rng.random(50) < 0.8, 0, :6, :6] = True
    maps = np.zeros((50, 3, 3, 1))
    maps[:, 0, 0] = 1
    found = distractor_following(positions(maps, (12, 12)), masks)
    assert found.hits[0] > 0.6
    assert found.deviations[0] == 0
    assert found.share == 0


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            np.ones((4, 10, 12), bool),
            r"\(images, masks, height, width\).*\(4, 10, 12\)",
        ),
        (np.ones((4, 0, 10, 12), bool), "at least one mask"),
        (np.ones((3, 1, 10, 12), bool), "for 3 images, feature maps for 4"),
        (np.ones((4, 1, 12, 10), bool), "12 x 10 pixels.*10 x 12"),
        (np.full((4, 1, 10, 12), 255, np.uint8), "other than 0 and 1"),
        (np.full((4, 1, 10, 12), np.nan), "other than 0 and 1"),
        ("masks", "real numbers"),
    ],
)
def test_masks_that_cannot_be_used(masks, message):
    where = positions(np.ones((4, 2, 3, 5)), (10, 12))
    with pytest.raises(DataError, match=message):
        iou_table(where, masks)
    with pytest.raises(DataError, match=message):
        distractor_following(where, masks)


def test_masks_and_centres_of_other_parts():
    where = positions(np.ones((4, 2, 3, 5)), (10, 12))
    with pytest.raises(DataError, match=r"2 parts.*3"):
        mask_iou(where, np.ones((4, 3, 10, 12), bool), np.ones((4, 2, 2)))
