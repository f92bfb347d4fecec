"""Presence: levels from views, without a label."""

from __future__ import annotations

import numpy as np
import pytest
from quick import learned, made
from small_teacher import make_images

from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import DataError
from keras_explainer.explainer import load
from keras_explainer.explainer.presence import NEVER, presence_levels
from keras_explainer.metrics import part_presence, positions

pytestmark = pytest.mark.one_backend
H, W = 8, 10


def slow_levels(maps, boxes, missed_share, place=1.5):
    """View by view, filter by filter."""
    images, views, height, width, filters = maps.shape
    levels = []
    for f in range(filters):
        kept, seen = [], 0
        for n in range(images):
            if maps[n, 0, :, :, f].max() <= 0:
                continue
            row, column = divmod(int(maps[n, 0, :, :, f].argmax()), width)
            y, x = (row + 0.5) / height, (column + 0.5) / width
            for v in range(1, views):
                top, left, tall, wide, flipped = (float(b) for b in boxes[n, v])
                rim_y, rim_x = tall * place / height, wide * place / width
                if not top + rim_y <= y <= top + tall - rim_y:
                    continue
                if not left + rim_x <= x <= left + wide - rim_x:
                    continue
                seen += 1
                one = maps[n, v, :, :, f]
                i, j = divmod(int(one.argmax()), width)
                across = (j + 0.5) / width
                across = 1 - across if flipped else across
                apart = np.hypot(
                    (top + tall * (i + 0.5) / height - y) * height,
                    (left + wide * across - x) * width,
                )
                if one.max() > 0 and apart <= place:
                    kept.append(float(one.max()))
        if seen < 20:
            levels.append(0.0)
        elif len(kept) < 0.2 * seen:
            levels.append(NEVER)
        else:
            levels.append(np.quantile(kept, missed_share))
    return levels


def planted(images, seed=0):
    """Maps of three filters: one follows a place, one is random, one is silent."""
    random = np.random.default_rng(seed)
    boxes = ViewSpec(count=5, seed=seed).boxes(0, images)
    maps = np.zeros((images, 5, H, W, 3))
    maps[..., 1] = random.uniform(0, 1, maps.shape[:-1])
    rows, columns = (np.arange(H) + 0.5) / H, (np.arange(W) + 0.5) / W
    for n in range(images):
        place = random.uniform(0.2, 0.8, 2)
        for v in range(5):
            top, left, tall, wide, flipped = boxes[n, v]
            x = (place[1] - left) / wide
            y, x = (place[0] - top) / tall, 1 - x if flipped else x
            if 0 <= y <= 1 and 0 <= x <= 1:
                far = (rows[:, None] - y) ** 2 + (columns - x) ** 2
                maps[n, v, :, :, 0] = random.uniform(1, 2) * np.exp(-far * 40)
            else:
                maps[n, v, :, :, 0] = 0.1 * random.uniform(0, 1, (H, W))
    return maps, boxes


def test_levels_equal_slow_ones():
    maps, boxes = planted(25)
    for share in (0.0, 0.15, 0.5):
        found = presence_levels(maps, boxes, share)
        np.testing.assert_allclose(found, slow_levels(maps, boxes, share))


def test_planted_filters():
    """The level parts views with the place from those that have lost it."""
    maps, boxes = planted(60)
    levels = presence_levels(maps, boxes)
    assert 0.9 < levels[0] < 1.6  # where the part is, the maximum is 1 to 2, else 0.1
    assert levels[1] == NEVER
    assert levels[2] == 0
    few = presence_levels(maps[:3], boxes[:3])
    assert list(few) == [0, 0, 0]
    alone = presence_levels(maps[:, :1], boxes[:, :1])
    assert list(alone) == [0, 0, 0]


def test_calibrated_at_the_end_of_fit_and_kept(small_teacher, tmp_path):
    images = make_images(24)
    explainer = learned(small_teacher, images)
    assert explainer.presence.is_calibrated
    found = explainer.explain(images[:4], contributions=None, verbose=0)
    levels = np.asarray(explainer.presence.levels)
    for item in found:
        assert item.presence_calibrated
        for part in item.parts:
            there = part.strength > 0 and part.strength >= levels[part.filter]
            assert part.present == there
    explainer.save(tmp_path / "a.keras")
    again = load(tmp_path / "a.keras", small_teacher)
    np.testing.assert_array_equal(np.asarray(again.presence.levels), levels)
    assert again.presence.is_calibrated
    explainer.save_weights(tmp_path / "a.weights.h5")
    other = made(small_teacher, seed=3)
    other.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(np.asarray(other.presence.levels), levels)


def test_before_calibration_a_part_is_there_where_its_filter_fires(small_teacher):
    explainer = made(small_teacher)
    strength = np.array([[0.0, 1e-6, 2.0, 0, 0, 0]])
    assert not explainer.presence.is_calibrated
    assert explainer.presence.present(strength).tolist() == [
        [False, True, True] + [False] * 3
    ]
    explainer.presence.set_levels(np.full(6, 1.0))
    assert explainer.presence.present(strength).tolist() == [
        [False, False, True] + [False] * 3
    ]


def test_a_file_of_before_there_were_levels(small_teacher, tmp_path):
    """It loads, and its levels are not calibrated."""
    import h5py

    explainer = made(small_teacher)
    explainer.presence.set_levels(np.ones(6))
    path = tmp_path / "old.weights.h5"
    explainer.save_weights(path)
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        group = next(name for name in names if name.endswith("presence_levels"))
        del file[group]
    other = made(small_teacher, seed=2)
    other.load_weights(path)
    assert not other.presence.is_calibrated


def test_calibrated_anew(small_teacher):
    explainer = made(small_teacher)
    images = make_images(30)
    explainer.calibrate_presence(images)
    assert explainer.presence.is_calibrated
    with pytest.raises(DataError, match=r"one view.*several|several views"):
        explainer.calibrate_presence(explainer.features(images))


def test_the_paper_s_recipe_calibrates_nothing(small_teacher):
    """It has no views."""
    explainer = learned(small_teacher, make_images(24), recipe="paper")
    assert not explainer.presence.is_calibrated


def test_a_level_for_each_filter_in_the_figure():
    random = np.random.default_rng(0)
    centres = random.uniform(0, 80, (60, 1, 2))
    centres[:20] = np.nan
    maps = np.zeros((60, 8, 8, 2))
    for n in range(60):
        y, x = (0, 0) if n < 20 else (centres[n, 0] // 10).astype(int)
        maps[n, y, x] = 0.5 if n < 20 else 1.0
    found = positions(maps, (80, 80))
    sharp = part_presence(found, centres, level=[0.7, 0.7])
    assert (sharp.precision, sharp.recall) == (1.0, 1.0)
    mixed = part_presence(found, centres, level=[0.7, 0.0])
    assert mixed.precision == pytest.approx((1 + sharp.prevalence) / 2)
