"""Equivariance loss: positions, boxes, flips and what both views see."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from reference import equivariance as reference
from test_case import compiled, examples, gradient, noise, to_numpy

from keras_explainer.datasets.views import ViewSpec
from keras_explainer.losses import equivariance_loss, soft_positions
from keras_explainer.losses.equivariance import inside, to_image

# The loss is smoothed at 0: sqrt(d² + 1e-8).
SMOOTHING = 1.1e-4


def value(maps, boxes, sharpness=4.0):
    found = compiled(lambda a, b: equivariance_loss(a, b, sharpness))(
        ops.convert_to_tensor(maps), ops.convert_to_tensor(boxes)
    )
    return float(to_numpy(found))


def relu_maps(shape, seed=0, levels=None):
    maps = np.maximum(noise(shape, seed), 0)
    return (maps if levels is None else np.round(maps * levels)).astype("float32")


@pytest.mark.parametrize("sharpness", [1.0, 4.0, 9.0])
@pytest.mark.parametrize("shape", [(3, 5, 7, 4), (2, 2, 1, 6, 3), (1, 1, 2)])
@pytest.mark.parametrize("levels", [None, 1])
def test_positions_equal_reference(shape, sharpness, levels):
    maps = relu_maps(shape, levels=levels)
    positions, fires = (to_numpy(x) for x in soft_positions(maps, sharpness))
    flat = maps.reshape(-1, *shape[-3:])
    positions = positions.reshape(len(flat), shape[-1], 2)
    fires = fires.reshape(len(flat), shape[-1])
    for n, f in np.ndindex(fires.shape):
        one = flat[n, :, :, f]
        assert fires[n, f] == (one.max() > 0)
        if fires[n, f]:
            expected = reference.soft_position(one, sharpness)
            np.testing.assert_allclose(positions[n, f], expected, atol=2e-5)


def test_sharpness_moves_the_centre_of_mass_to_the_peak():
    maps = relu_maps((5, 9, 7, 3))
    cells = maps.reshape(5, 63, 3).argmax(1)
    peaks = np.stack([(cells // 7 + 0.5) / 9, (cells % 7 + 0.5) / 7], -1)
    distances = [
        np.abs(to_numpy(soft_positions(maps, sharpness)[0]) - peaks).mean()
        for sharpness in (1.0, 4.0, 40.0)
    ]
    assert distances[0] > distances[1] > distances[2] and distances[2] < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_boxes_and_visibility_equal_reference(seed):
    random = np.random.default_rng(seed)
    boxes = ViewSpec(count=5, seed=seed).boxes(0, 3)
    positions = random.random((3, 5, 4, 2)).astype("float32")
    points = to_numpy(to_image(positions, boxes))
    seen = to_numpy(inside(ops.cast(points, "float32"), np.roll(boxes, 1, axis=1)))
    for n, v, f in np.ndindex(3, 5, 4):
        expected = reference.in_image(positions[n, v, f], boxes[n, v])
        np.testing.assert_allclose(points[n, v, f], expected, atol=1e-6)
        assert seen[n, v, f] == reference.contains(boxes[n, v - 1], expected)


@pytest.mark.parametrize("views", [2, 3, 5])
@pytest.mark.parametrize("levels", [None, 1])
def test_equals_reference(views, levels):
    maps = relu_maps((3, views, 5, 7, 4), views, levels)
    maps[0, 1] = 0
    maps[..., 2] = 0
    boxes = ViewSpec(count=views, smallest=0.4).boxes(0, 3)
    assert value(maps, boxes) == pytest.approx(
        reference.equivariance_loss(maps, boxes), abs=SMOOTHING
    )


def part_maps(spec, count, size=48, seed=0):
    """Maps that are a blob at one place of each image, drawn in every view of it."""
    random = np.random.default_rng(seed)
    boxes = spec.boxes(0, count)
    places = random.uniform(0.35, 0.65, (count, 2))
    rows = (np.arange(size) + 0.5) / size
    maps = np.zeros((*boxes.shape[:2], size, size, 1), "float32")
    for n, v in np.ndindex(boxes.shape[:2]):
        top, left, height, width, flipped = boxes[n, v]
        y, x = (places[n, 0] - top) / height, (places[n, 1] - left) / width
        x = 1 - x if flipped else x
        squared = (rows[:, None] - y) ** 2 + (rows[None] - x) ** 2
        maps[n, v, :, :, 0] = np.exp(-squared / 0.002)
    return maps, boxes


def test_a_map_that_moves_with_the_view_costs_nothing_a_fixed_one_does():
    spec = ViewSpec(count=4, smallest=0.8)
    moving, boxes = part_maps(spec, 6)
    # Cells are 1 / 48 wide: a centre of mass is read off far finer.
    assert value(moving, boxes) < 2e-3
    fixed = np.zeros_like(moving)
    fixed[:, :, 23:25, 23:25] = 1.0
    assert value(fixed, boxes) > 0.02
    # Exactly: one cell of a view that is the image itself, mirrored.
    maps = np.zeros((1, 2, 5, 7, 1), "float32")
    maps[0, 0, 1, 2] = maps[0, 1, 1, 4] = 3.0
    mirrored = np.array([[[0, 0, 1, 1, 0], [0, 0, 1, 1, 1]]], "float32")
    assert value(maps, mirrored) < SMOOTHING
    plain = np.array([[[0, 0, 1, 1, 0], [0, 0, 1, 1, 0]]], "float32")
    assert value(maps, plain) == pytest.approx(2 / 7, abs=1e-4)


def test_flips_alone_do_not_rule_out_a_filter_at_the_centre():
    maps = np.zeros((1, 2, 5, 7, 1), "float32")
    maps[:, :, 2, 3] = 1.0
    flips = np.array([[[0, 0, 1, 1, 0], [0, 0, 1, 1, 1]]], "float32")
    assert value(maps, flips) < SMOOTHING
    shift = np.array([[[0, 0, 1, 1, 0], [0.2, 0.1, 0.8, 0.8, 0]]], "float32")
    assert value(maps, shift) == pytest.approx(np.hypot(0.1, 0.0), abs=1e-4)


def test_points_that_one_view_does_not_show_are_not_compared():
    maps = np.zeros((1, 2, 4, 4, 2), "float32")
    maps[0, 0, 0, 0, 0] = maps[0, 1, 0, 0, 0] = 1.0  # outside the second view
    maps[0, 0, 2, 2, 1] = maps[0, 1, 3, 3, 1] = 1.0  # inside both
    boxes = np.array([[[0, 0, 1, 1, 0], [0.4, 0.4, 0.6, 0.6, 0]]], "float32")
    expected = np.hypot(0.625 - (0.4 + 0.6 * 0.875), 0.625 - (0.4 + 0.6 * 0.875))
    assert value(maps, boxes) == pytest.approx(expected, abs=1e-4)
    assert value(maps[..., :1], boxes) == 0.0


def test_one_view_or_silence_costs_nothing():
    boxes = ViewSpec(count=3).boxes(0, 2)
    assert value(relu_maps((2, 1, 5, 7, 3)), boxes[:, :1]) == 0.0
    for sharpness in (4.0, 20.0):
        assert value(np.zeros((2, 3, 5, 7, 3), "float32"), boxes, sharpness) == 0.0


@pytest.mark.parametrize("sharpness", [4.0, 12.0])
def test_gradient_is_finite_also_of_silent_and_equal_maps(sharpness):
    maps = relu_maps((2, 3, 5, 7, 4))
    maps[..., 0] = 0
    maps[:, 1, ..., 1] = maps[:, 0, ..., 1]
    boxes = ViewSpec(count=3).boxes(0, 2)
    boxes[:, 1] = boxes[:, 0]
    found = gradient(lambda x: equivariance_loss(x, boxes, sharpness), maps)
    assert np.isfinite(found).all() and np.abs(found[..., 2:]).max() > 0
    assert (found[..., 0] == 0).all()


def test_gradient_step_lowers_the_loss():
    maps = relu_maps((4, 3, 6, 5, 3)) + np.float32(0.2)
    boxes = ViewSpec(count=3, smallest=0.8).boxes(0, 4)
    slope = gradient(lambda x: equivariance_loss(x, boxes), maps)
    step = 0.02 / np.abs(slope).max()
    assert value((maps - step * slope).astype("float32"), boxes) < value(maps, boxes)


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.sampled_from([1e-3, 1.0, 1e4]))
def test_bounds_and_freedom_of_scale(seed, scale):
    maps = relu_maps((2, 3, 4, 6, 3), seed) * np.float32(scale)
    boxes = ViewSpec(count=3, smallest=0.3, seed=seed % 1000).boxes(0, 2)
    found = value(maps, boxes)
    assert 0 <= found <= np.sqrt(2)
    assert value(maps * 7, boxes) == pytest.approx(found, abs=1e-4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_maps_are_computed_in_float32(dtype):
    maps = ops.cast(relu_maps((2, 2, 5, 7, 3)), dtype)
    boxes = ViewSpec(count=2).boxes(0, 2)
    found = equivariance_loss(maps, ops.cast(boxes, "float32"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert float(to_numpy(found)) == pytest.approx(
        reference.equivariance_loss(to_numpy(maps), boxes), abs=SMOOTHING
    )
