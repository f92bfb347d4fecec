"""Maps, centres and sizes that cannot be used are refused, and nothing is lost."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from keras_explainer.errors import DataError
from keras_explainer.metrics import (
    PartMapFigures,
    concentration,
    constant_position,
    filter_correlation,
    landmark_error,
    location_instability,
    part_tracking,
    positions,
    r2,
)

MAPS = np.ones((4, 2, 3, 5))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_tensors(scene_maker, dtype):
    maps, centres, size = scene_maker(0, levels=50)
    tensor = keras.ops.convert_to_tensor(maps, dtype=dtype)
    found, expected = PartMapFigures(), PartMapFigures()
    found.update(tensor)
    expected.update(maps)
    assert found.result(centres, size) == expected.result(centres, size)
    assert concentration(tensor, positions(tensor, size)) == pytest.approx(
        concentration(maps, positions(maps, size))
    )


@pytest.mark.parametrize(
    ("maps", "message"),
    [
        (np.ones((4, 2, 3)), r"shape \(images, height, width, filters\).*\(4, 2, 3\)"),
        (np.ones((4, 0, 3, 5)), "at least one cell"),
        (np.ones((4, 2, 3, 0)), "one filter"),
        (MAPS * [1, 1, 1, 1, np.nan], "4 images hold NaN"),
        (MAPS * [1, 1, 1, 1, np.inf], "4 images hold NaN or infinity"),
        ([[1.0], [1.0, 2.0]], "one array of numbers"),
        (np.full((1, 1, 1, 1), "a"), "real numbers.*<U1"),
        (None, "real numbers.*NoneType"),
    ],
)
def test_maps_that_cannot_be_used(maps, message):
    with pytest.raises(DataError, match=message):
        positions(maps, (10, 10))
    figures = PartMapFigures()
    figures.update(MAPS[:1])
    before = figures.result(None, (10, 10))
    with pytest.raises(DataError, match=message):
        figures.update(maps)
    assert figures.result(None, (10, 10)) == before


def test_maps_of_another_shape():
    figures = PartMapFigures()
    figures.update(MAPS)
    with pytest.raises(
        DataError, match=r"\(3, 2, 5\), earlier ones \(2, 3, 5\).*reset"
    ):
        figures.update(MAPS.transpose(0, 2, 1, 3))
    where = positions(MAPS, (10, 10))
    with pytest.raises(DataError, match=r"\(3, 2, 3, 5\).*from \(4, 2, 3, 5\)"):
        concentration(MAPS[:3], where)
    with pytest.raises(DataError, match="5 filters"):
        filter_correlation(MAPS, where.live[:4])


def test_no_images():
    with pytest.raises(DataError, match="at least one image"):
        positions(MAPS[:0], (10, 10))
    figures = PartMapFigures()
    figures.update(MAPS[:0])
    with pytest.raises(DataError, match=r"update\(maps\)"):
        figures.result(None, (10, 10))
    with pytest.raises(DataError, match="at least one image"):
        constant_position(np.ones((0, 1, 2)), (10, 10))
    with pytest.raises(DataError, match="NoneType"):
        constant_position(None, (10, 10))


@pytest.mark.parametrize(
    ("centres", "message"),
    [
        (np.ones((4, 2)), r"\(images, parts, 2\).*\(4, 2\).*None"),
        (np.ones((4, 2, 3)), r"\(images, parts, 2\)"),
        (np.ones((4, 0, 2)), "at least one part"),
        (np.ones((3, 1, 2)), "for 3 images, feature maps for 4"),
        ([[[1, 2]], [[1, np.nan]], [[1, 1]], [[1, 1]]], "part 0 in image 1"),
        ([[[1, 2]], [[1, 2]], [[np.inf, 1]], [[1, 1]]], "part 0 in image 2"),
    ],
)
def test_centres_that_cannot_be_used(centres, message):
    where = positions(MAPS, (10, 10))
    for figure in (location_instability, part_tracking, landmark_error, r2):
        with pytest.raises(DataError, match=message):
            figure(where, centres)


@pytest.mark.parametrize(
    "size", [(10,), (10, 0), (10, -1), (10, math.nan), 10, ("a", "b"), (1, 2, 3), None]
)
def test_image_size_that_cannot_be_used(size):
    with pytest.raises(DataError):
        positions(MAPS, size)
    figures = PartMapFigures()
    figures.update(MAPS)
    with pytest.raises(DataError):
        figures.result(None, size)
