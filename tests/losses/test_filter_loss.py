"""FilterLoss: mutual information and its gradient, against the equations."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from reference import filter_loss as reference
from test_case import compiled, examples, gradient, noise, to_numpy

from keras_explainer.errors import ConfigError
from keras_explainer.losses import FilterLoss


def per_filter(loss, maps):
    return to_numpy(compiled(loss.per_filter)(ops.convert_to_tensor(maps)))


def relu_maps(shape, seed=0, scale=1.0):
    return np.maximum(noise(shape, seed), 0) * np.float32(scale)


def scene(kind):
    maps = relu_maps((5, 4, 6, 3), 1)
    if kind == "silent filter":
        maps[..., 1] = 0
    elif kind == "silent images":
        maps[1:4] = 0
    elif kind == "tied":
        maps = np.round(maps * 2) / 2
    elif kind == "images all alike":
        maps[:] = maps[:1]
    elif kind == "one image":
        maps = maps[:1]
    elif kind == "one cell":
        maps = maps[:, :1, :1]
    elif kind == "vgg scale":
        maps *= 300
    elif kind == "relu6":
        maps = np.minimum(maps, 6) * 0.01
    elif kind == "tall":
        maps = relu_maps((4, 9, 2, 2), 2)
    return maps.astype("float32")


SCENES = [
    "plain",
    "silent filter",
    "silent images",
    "tied",
    "images all alike",
    "one image",
    "one cell",
    "vgg scale",
    "relu6",
    "tall",
]


@pytest.mark.parametrize("temperature", [None, 10.0, 60.0])
@pytest.mark.parametrize("kind", SCENES)
def test_equals_reference(kind, temperature):
    maps = scene(kind)
    found = per_filter(FilterLoss(temperature=temperature), maps)
    expected = reference.filter_loss(maps, temperature=temperature)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)
    bound = np.log(min(len(maps), maps.shape[1] * maps.shape[2] + 1))
    assert (-found >= -1e-5).all() and (-found <= bound + 1e-5).all()


@pytest.mark.parametrize("beta, tau", [(2.0, None), (4.0, 0.2), (9.0, 1.5)])
def test_beta_and_tau(beta, tau):
    maps = scene("plain")
    loss = FilterLoss(beta, tau, temperature=None)
    np.testing.assert_allclose(
        per_filter(loss, maps),
        reference.filter_loss(maps, beta, tau),
        rtol=1e-4,
        atol=5e-7,
    )
    # Of two sums near log N, whose float32 step is 1.2e-7, it is the difference.
    assert float(to_numpy(loss(maps))) == pytest.approx(
        reference.filter_loss(maps, beta, tau).mean(), rel=1e-4, abs=5e-7
    )


@pytest.mark.parametrize("temperature, scale", [(None, 40.0), (10.0, 1.0)])
def test_gradient_equals_finite_differences(temperature, scale):
    """Of positive maps, where ReLU bends nothing."""
    maps = (np.abs(noise((4, 3, 4, 2))) + 0.1) * np.float32(scale)
    loss = FilterLoss(temperature=temperature)
    found = gradient(loss, maps)
    expected = reference.numerical_gradient(
        lambda x: reference.filter_loss(x, temperature=temperature).mean(),
        maps,
        step=1e-4 * scale,
    )
    assert np.abs(expected).max() > 1e-4
    np.testing.assert_allclose(
        found, expected, rtol=2e-3, atol=2e-3 * np.abs(expected).max()
    )


OTHERS = [kind for kind in SCENES if kind not in ("silent filter", "tall")]


@pytest.mark.parametrize("temperature", [None, 10.0])
@pytest.mark.parametrize(
    "kind",
    [
        "silent filter",
        "tall",
        *(pytest.param(kind, marks=pytest.mark.one_backend) for kind in OTHERS),
    ],
)
def test_gradient_by_hand_equals_autodiff(kind, temperature):
    """Through a ReLU, as it is learned: a silent filter then has no gradient."""
    before = scene(kind)
    before = np.where(before > 0, before, -1).astype("float32")
    loss = FilterLoss(temperature=temperature, filters_per_chunk=2)

    def by_hand(x):
        return 3 * loss(ops.relu(x))

    def by_autodiff(x):
        return 3 * ops.mean(loss.per_filter(ops.relu(x)))

    found, expected = gradient(by_hand, before), gradient(by_autodiff, before)
    largest = np.abs(expected).max()
    if kind in ("images all alike", "one image"):
        assert largest < 1e-5  # nothing can be told apart: both are rounding errors
    else:
        assert largest > 1e-6
    # Both are differences of logarithms, whose float32 steps the temperature magnifies.
    rounding = 3e-9 if temperature is None else 1e-6
    np.testing.assert_allclose(
        found, expected, rtol=1e-3, atol=1e-4 * largest + rounding
    )


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", SCENES)
def test_the_mean_equals_the_filters_mean(kind):
    maps = scene(kind)
    loss = FilterLoss()
    mean = float(to_numpy(compiled(loss)(ops.convert_to_tensor(maps))))
    assert mean == pytest.approx(per_filter(loss, maps).mean(), rel=1e-5, abs=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit", [False, True])
def test_a_batch_of_unknown_size(jit):
    import tensorflow as tf

    maps = relu_maps((6, 4, 5, 3), 7)
    loss = FilterLoss(filters_per_chunk=2)

    @tf.function(jit_compile=jit)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return value, tape.gradient(value, x)

    traced = tf.TensorSpec((None, 4, 5, 3))
    step = step.get_concrete_function(traced)
    for count in (6, 2):
        value, found = step(tf.constant(maps[:count]))
        expected = reference.filter_loss(maps[:count], temperature=10.0).mean()
        assert float(value) == pytest.approx(expected, rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(
            to_numpy(found), gradient(loss, maps[:count]), rtol=1e-4, atol=1e-7
        )


def test_a_filter_that_follows_a_part_has_more_information_than_noise():
    random = np.random.default_rng(0)
    maps = np.zeros((16, 6, 8, 2), "float32")
    for n in range(16):
        maps[n, random.integers(6), random.integers(8), 0] = 1.0
    maps[..., 1] = random.permuted(maps[..., 0].ravel()).reshape(16, 6, 8)
    maps[..., 1] = np.abs(random.normal(size=(16, 6, 8)))
    information = -per_filter(FilterLoss(), maps)
    assert information[0] > 4 * information[1]


@settings(max_examples=examples(60), deadline=None)
@given(
    count=st.integers(1, 7),
    size=st.sampled_from([(3, 5), (1, 1), (4, 2)]),
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([1e-3, 1.0, 60.0, 6e4]),
    temperature=st.sampled_from([None, 1.0, 10.0, 200.0]),
    sparse=st.sampled_from([0.0, 0.7, 1.0]),
)
def test_information_is_within_its_bounds_and_order_free(
    count, size, seed, scale, temperature, sparse
):
    random = np.random.default_rng(seed)
    maps = np.maximum(random.normal(size=(count, *size, 2)), 0) * scale
    maps = (maps * (random.random(maps.shape) >= sparse)).astype("float32")
    loss = FilterLoss(temperature=temperature)
    found = per_filter(loss, maps)
    assert np.isfinite(found).all()
    assert (-found >= -2e-5).all()
    assert (-found <= np.log(min(count, size[0] * size[1] + 1)) + 2e-5).all()
    order = random.permutation(count)
    np.testing.assert_allclose(
        per_filter(loss, maps[order]), found, rtol=1e-3, atol=2e-5
    )


@settings(max_examples=examples(30), deadline=None)
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
def test_temperature_makes_it_free_of_scale(seed, scale):
    maps = relu_maps((5, 3, 5, 3), seed)
    loss = FilterLoss(temperature=10.0)
    scaled = maps * np.array([scale, 1.0, 3.0], "float32")
    np.testing.assert_allclose(
        per_filter(loss, scaled), per_filter(loss, maps), rtol=1e-3, atol=1e-5
    )


def test_without_temperature_scale_matters():
    maps = scene("relu6")
    loss = FilterLoss(temperature=None)
    small, large = per_filter(loss, maps), per_filter(loss, maps * 10_000)
    assert (np.abs(small) < 1e-4).all() and (large < -0.01).all()


@pytest.mark.parametrize(
    "chunk",
    [2, *(pytest.param(n, marks=pytest.mark.one_backend) for n in (1, 3, 5, 9))],
)
def test_chunks_of_filters_give_the_same_values_and_gradients(chunk):
    maps = relu_maps((4, 3, 5, 5), 3)
    whole, chunked = FilterLoss(), FilterLoss(filters_per_chunk=chunk)
    np.testing.assert_allclose(
        per_filter(chunked, maps), per_filter(whole, maps), rtol=1e-5, atol=1e-7
    )
    np.testing.assert_allclose(
        gradient(chunked, maps), gradient(whole, maps), rtol=1e-4, atol=1e-7
    )


def test_it_is_not_a_mean_over_batches():
    """The images of one call are the images of the sum."""
    maps = relu_maps((8, 4, 4, 2), 5)
    loss = FilterLoss()
    halves = (per_filter(loss, maps[:4]) + per_filter(loss, maps[4:])) / 2
    assert (np.abs(per_filter(loss, maps) - halves) > 5e-3).all()


@pytest.mark.parametrize("kind", ["silent filter", "silent images", "vgg scale"])
def test_gradient_through_relu_is_finite(kind):
    before = scene(kind) - 0.01
    found = gradient(lambda x: FilterLoss()(ops.relu(x)), before)
    assert np.isfinite(found).all()
    if kind == "silent filter":
        assert (found[..., 1] == 0).all() and (found[..., 0] != 0).any()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_maps_are_computed_in_float32(dtype):
    maps = ops.cast(scene("vgg scale"), dtype)
    value = FilterLoss()(maps)
    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    expected = reference.filter_loss(to_numpy(maps), temperature=10.0).mean()
    assert float(to_numpy(value)) == pytest.approx(expected, rel=1e-3)
    in_full = gradient(FilterLoss(), to_numpy(maps).astype("float32"))
    found = gradient(lambda x: FilterLoss()(ops.cast(x, dtype)), to_numpy(maps))
    np.testing.assert_allclose(found, in_full, atol=1e-2 * np.abs(in_full).max())


def test_config():
    loss = FilterLoss(3.0, 0.2, None, 7)
    config = loss.get_config()
    assert FilterLoss.from_config(json.loads(json.dumps(config))).get_config() == config
    again = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    )
    assert isinstance(again, FilterLoss) and again.get_config() == config


def test_wrong_arguments():
    for temperature in (0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="temperature"):
            FilterLoss(temperature=temperature)
    for chunk in (0, -2):
        with pytest.raises(ConfigError, match="filters_per_chunk"):
            FilterLoss(filters_per_chunk=chunk)
    with pytest.raises(ConfigError, match="beta"):
        FilterLoss(beta=0)(np.ones((2, 3, 3, 1), "float32"))
