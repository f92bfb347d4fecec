"""Boxes and masks in pixels, against hand-computed cases and a slow reference."""

from __future__ import annotations

import numpy as np
import pytest

from keras_explainer.explanation import part_box, pixel_mask
from keras_explainer.explanation.geometry import unclipped_mask
from keras_explainer.results import mask_cells

pytestmark = pytest.mark.one_backend  # NumPy alone

# n = 14, beta 4: the mask is at least half within 1.75 cells, of 16 pixels each.
HAND = [
    # cells, image_size, map_size, beta, (top, left, bottom, right)
    ([(7, 3)], (224, 224), (14, 14), 4.0, (92, 28, 148, 84)),
    ([(0, 13)], (224, 224), (14, 14), 4.0, (0, 188, 36, 224)),
    # n = 10: 1.25 cells, of 4 x 8 pixels.
    ([(2, 5)], (32, 80), (8, 10), 4.0, (5, 34, 15, 54)),
    # n = 7, the longer side: 0.875 cells, of 10 x 6 pixels.
    ([(3, 1)], (70, 30), (7, 5), 4.0, (26.25, 3.75, 43.75, 14.25)),
    # A steep mask: an eighth of a cell around the centre.
    ([(1, 1)], (16, 16), (4, 4), 16.0, (5.5, 5.5, 6.5, 6.5)),
    # A flat one: the whole image.
    ([(1, 1)], (16, 24), (4, 4), 0.1, (0, 0, 16, 24)),
    # Two peaks: around both.
    ([(2, 5), (6, 1)], (32, 80), (8, 10), 4.0, (5, 2, 31, 54)),
    # One cell.
    ([(0, 0)], (5, 7), (1, 1), 4.0, (1.875, 2.625, 3.125, 4.375)),
]


@pytest.mark.parametrize(("cells", "image_size", "map_size", "beta", "box"), HAND)
def test_box_by_hand(cells, image_size, map_size, beta, box):
    found = part_box(cells, image_size, map_size, beta)
    assert found == pytest.approx(box)
    assert all(type(side) is float for side in found)


def test_no_peak():
    assert part_box([], (8, 8), (2, 2), 4.0) is None
    assert not pixel_mask([], (8, 9), (2, 2), 4.0).any()


def slow_pixel_mask(cells, image_size, map_size, beta):
    mask = np.zeros(image_size)
    n = max(map_size)
    for y in range(image_size[0]):
        for x in range(image_size[1]):
            # The pixel's centre in cells, whole numbers at the cells' centres.
            i = (y + 0.5) / (image_size[0] / map_size[0]) - 0.5
            j = (x + 0.5) / (image_size[1] / map_size[1]) - 0.5
            for row, column in cells:
                distance = abs(i - row) + abs(j - column)
                mask[y, x] = max(mask[y, x], 1 - beta * distance / n)
    return mask


SIZES = [
    ((33, 21), (11, 3)),
    ((20, 52), (5, 13)),
    ((30, 31), (7, 9)),
    ((6, 6), (9, 7)),
]


@pytest.mark.parametrize(("image_size", "map_size"), SIZES)
@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_pixel_mask(image_size, map_size, beta):
    random = np.random.default_rng(0)
    for count in (1, 2):
        cells = [tuple(random.integers(0, map_size)) for _ in range(count)]
        found = pixel_mask(cells, image_size, map_size, beta)
        expected = slow_pixel_mask(cells, image_size, map_size, beta)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_at_the_cells_centres_it_is_the_mask_of_the_network():
    cells = [(1, 4), (4, 0)]
    fine = pixel_mask(cells, (15, 21), (5, 7), 3.0)
    np.testing.assert_allclose(
        fine[1::3, 1::3], mask_cells(cells, (5, 7), 3.0), atol=1e-6
    )


def test_box_is_around_the_area_of_the_pixel_mask():
    random = np.random.default_rng(3)
    for _ in range(30):
        map_size = tuple(random.integers(2, 12, 2))
        image_size = tuple(int(m * random.integers(8, 20)) for m in map_size)
        beta = random.uniform(1, 6)
        cells = [tuple(random.integers(0, map_size)) for _ in range(2)]
        area = np.argwhere(pixel_mask(cells, image_size, map_size, beta) >= 0.5)
        top, left, bottom, right = part_box(cells, image_size, map_size, beta)
        seen = (*area.min(0), *(area.max(0) + 1))
        # The tip of the area may fall between the centres of pixels.
        assert np.abs(np.subtract(seen, (top, left, bottom, right))).max() <= 1.6


def test_unclipped_mask_has_one_slope():
    mask = unclipped_mask([(2, 2)], (50, 100), (5, 5), 4.0)
    # 0.8 a cell of 10 x 20 pixels; the peak lies between two rows and columns.
    for line, step in ((mask[:, 0], 0.08), (mask[0], 0.04)):
        fall = np.abs(np.diff(line))
        assert fall[len(fall) // 2] == pytest.approx(0, abs=1e-6)
        fall = np.delete(fall, len(fall) // 2)
        np.testing.assert_allclose(fall, step, atol=1e-6)
    assert mask.min() < -1
