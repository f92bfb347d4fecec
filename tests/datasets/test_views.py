"""Views: where a crop's pixels come from, and that boxes are the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.equivariance import in_image

from keras_explainer.datasets.views import WHOLE_IMAGE, ViewSpec, view_images
from keras_explainer.errors import ConfigError


def random_images(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(0, 50, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max + 1, shape).astype(dtype)


@pytest.mark.parametrize("flipped", [0, 1])
@pytest.mark.parametrize(
    "dtype, channels", [("uint8", 3), ("uint8", 1), ("float32", 3), ("int16", 5)]
)
def test_a_bright_dot_is_where_the_box_says(dtype, channels, flipped):
    random = np.random.default_rng(1)
    height, width = 45, 70
    spec = ViewSpec(count=6, flip=float(flipped), smallest=0.3, largest=0.8)
    for box in spec.boxes(0, 3)[:, 1:].reshape(-1, 5):
        assert box[4] == flipped
        # A dot of 3 × 3 pixels, its centre well inside the crop, in image pixels.
        y = (box[0] + box[2] * random.uniform(0.15, 0.85)) * height
        x = (box[1] + box[3] * random.uniform(0.15, 0.85)) * width
        row, column = int(y), int(x)
        image = np.zeros((1, height, width, channels), dtype)
        image[0, row - 1 : row + 2, column - 1 : column + 2] = 100
        view = view_images(image, box[None, None])[0, 0].astype("float64").sum(-1)
        rows, columns = np.mgrid[:height, :width] + 0.5
        found = (
            (view * rows).sum() / view.sum() / height,
            (view * columns).sum() / view.sum() / width,
        )
        seen = np.array(in_image(found, box)) * (height, width)
        np.testing.assert_allclose(seen, (row + 0.5, column + 0.5), atol=0.06)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_ramp_shows_the_place_of_every_pixel(dtype):
    """Bilinear sampling keeps a linear ramp: each pixel gives its own position."""
    height, width = 37, 53
    rows, columns = np.mgrid[:height, :width] + 0.5
    image = np.stack([rows, columns, rows + 2 * columns], -1)[None].astype(dtype)
    boxes = ViewSpec(count=5, smallest=0.4).boxes(0, 1)
    views = view_images(image, boxes)
    for view, box in zip(views[0], boxes[0], strict=True):
        expected = np.empty((height, width, 3))
        for i, j in np.ndindex(height, width):
            y, x = in_image(((i + 0.5) / height, (j + 0.5) / width), box)
            y, x = y * height, x * width
            expected[i, j] = y, x, y + 2 * x
        # The image's border has no further pixels to mix with.
        edge = 3
        np.testing.assert_allclose(
            view[edge:-edge, edge:-edge],
            expected[edge:-edge, edge:-edge],
            atol=1e-3 if dtype != "uint8" else 1.51,
        )


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_dtype_and_whole_images_are_kept(dtype, channels):
    images = random_images((2, 9, 13, channels), dtype)
    spec = ViewSpec(count=3)
    views = view_images(images, spec.boxes(0, 2))
    assert views.dtype == images.dtype and views.shape == (2, 3, 9, 13, channels)
    np.testing.assert_array_equal(views[:, 0], images)
    assert not np.array_equal(views[:, 1], images)
    mirrored = np.array([[[0, 0, 1, 1, 1]]] * 2, "float32")
    np.testing.assert_array_equal(
        view_images(images, mirrored)[:, 0], images[:, :, ::-1]
    )


def test_channels_and_images_do_not_mix():
    images = random_images((2, 11, 17, 3), "float32")
    boxes = ViewSpec(count=3).boxes(0, 2)
    views = view_images(images, boxes)
    for n, c in np.ndindex(2, 3):
        alone = view_images(images[n : n + 1, ..., c : c + 1], boxes[n : n + 1])
        np.testing.assert_array_equal(views[n, ..., c], alone[0, ..., 0])


def test_rgb_in_one_piece_equals_channel_by_channel():
    """Within the rounding of whole numbers."""
    images = random_images((1, 21, 33, 3), "uint8")
    boxes = ViewSpec(count=4).boxes(0, 1)
    exact = view_images(images.astype("float32"), boxes)
    assert np.abs(view_images(images, boxes).astype("float64") - exact).max() <= 1.01


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 6),
    smallest=st.floats(0.05, 1),
    spread=st.floats(0, 1),
    flip=st.floats(0, 1),
    seed=st.integers(0, 2**31),
    start=st.integers(0, 10_000),
)
def test_boxes_lie_in_the_image(count, smallest, spread, flip, seed, start):
    largest = smallest + (1 - smallest) * spread
    spec = ViewSpec(count, smallest, largest, flip, seed)
    boxes = spec.boxes(start, start + 5)
    assert boxes.shape == (5, count, 5) and boxes.dtype == np.float32
    np.testing.assert_array_equal(boxes[:, 0], np.tile(WHOLE_IMAGE, (5, 1)))
    crops = boxes[:, 1:].astype("float64")
    assert (crops[..., :2] >= 0).all()
    assert (crops[..., :2] + crops[..., 2:4] <= 1 + 1e-6).all()
    np.testing.assert_array_equal(crops[..., 2], crops[..., 3])
    assert (
        (crops[..., 2] >= smallest - 1e-6) & (crops[..., 2] <= largest + 1e-6)
    ).all()
    assert np.isin(crops[..., 4], (0, 1)).all()


def test_boxes_depend_on_the_row_and_the_seed_alone():
    spec = ViewSpec(count=4, seed=3)
    whole = spec.boxes(0, 20)
    np.testing.assert_array_equal(whole, ViewSpec(count=4, seed=3).boxes(0, 20))
    for start, stop in ((0, 7), (7, 8), (8, 20), (5, 5)):
        np.testing.assert_array_equal(spec.boxes(start, stop), whole[start:stop])
    assert not np.array_equal(whole, ViewSpec(count=4, seed=4).boxes(0, 20))
    rows = whole[:, 1:].reshape(20, -1)
    assert len(np.unique(rows, axis=0)) == 20


@pytest.mark.parametrize("flip, low, high", [(0.0, 0, 0), (1.0, 1, 1), (0.5, 0.4, 0.6)])
def test_share_of_flips(flip, low, high):
    boxes = ViewSpec(count=4, flip=flip).boxes(0, 200)
    assert low <= boxes[:, 1:, 4].mean() <= high


def test_centres_reach_all_over_the_image():
    boxes = ViewSpec(count=4, smallest=0.2, largest=0.3).boxes(0, 300)[:, 1:]
    centres = boxes[..., :2] + boxes[..., 2:4] / 2
    assert (centres.min((0, 1)) < 0.2).all() and (centres.max((0, 1)) > 0.8).all()


def test_wrong_arguments():
    for count in (0, -1, 1.5):
        with pytest.raises(ConfigError, match="views"):
            ViewSpec(count=count)
    for smallest, largest in ((0, 0.5), (0.6, 0.5), (0.5, 1.1), (-0.1, 0.5)):
        with pytest.raises(ConfigError, match="side"):
            ViewSpec(smallest=smallest, largest=largest)
    for flip in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="flip"):
            ViewSpec(flip=flip)
