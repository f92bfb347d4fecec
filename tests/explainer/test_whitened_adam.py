"""WhitenedAdam: Adam in coordinates in which a kernel's inputs are white."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from quick import made
from reference import whitened_adam as reference
from small_teacher import make_images

from keras_explainer.explainer.whitened_adam import WhitenedAdam, whitening
from keras_explainer.runs.training_state import TrainingState

PLACES = {"recipe": "places", "filters": 12, "places": 3, "steps_per_epoch": 1}
random = np.random.default_rng(0)
RATE = 0.01


def positive(count: int = 400, channels: int = 6) -> np.ndarray:
    """Inputs as part maps are: all positive, up and down together."""
    common = random.gamma(2.0, size=(count, 1))
    return (2 * common + 2 * random.random((count, channels))).astype("float32")


def variables(channels: int = 6, filters: int = 4):
    kernel = keras.Variable(
        random.normal(size=(1, 1, channels, filters)).astype("float32"), name="kernel"
    )
    return kernel, keras.Variable(np.zeros(filters, "float32"), name="bias")


def test_the_coordinates_equal_the_reference():
    inputs = positive()
    np.testing.assert_allclose(
        whitening(inputs), reference.whitening(inputs), rtol=1e-3, atol=1e-4
    )


def test_inputs_are_white_in_them():
    """Where they vary more than the ridge."""
    inputs = random.normal(size=(4000, 5)) * [9, 1, 3, 2, 1] + 4
    white = inputs @ whitening(inputs)
    np.testing.assert_allclose(white.T @ white / 4000, np.eye(5), atol=0.12)


@pytest.mark.parametrize("inputs", [np.zeros((9, 3)), np.ones((9, 3)), np.ones((1, 3))])
def test_inputs_that_say_nothing(inputs):
    assert np.isfinite(whitening(inputs)).all()


def test_steps_equal_the_reference():
    inputs = positive()
    kernel, bias = variables()
    start = ops.convert_to_numpy(kernel)[0, 0]
    optimizer = WhitenedAdam(RATE, whitened=("kernel",))
    optimizer.build([kernel, bias])
    assert not optimizer.is_measured
    optimizer.whiten({"kernel": inputs})
    assert optimizer.is_measured
    gradients = [random.normal(size=(6, 4)).astype("float32") for _ in range(7)]
    for gradient in gradients:
        optimizer.apply(
            [ops.convert_to_tensor(gradient[None, None]), ops.ones(4)], [kernel, bias]
        )
    expected = reference.learned(start, gradients, whitening(inputs), RATE)
    np.testing.assert_allclose(
        ops.convert_to_numpy(kernel)[0, 0], expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(ops.convert_to_numpy(bias), -7 * RATE, rtol=1e-4)


def test_before_it_is_told_it_is_adam():
    results = []
    gradients = [random.normal(size=(1, 1, 6, 4)).astype("float32") for _ in range(4)]
    start = random.normal(size=(1, 1, 6, 4)).astype("float32")
    for optimizer in (
        WhitenedAdam(RATE, whitened=("kernel",)),
        WhitenedAdam(RATE),
        keras.optimizers.Adam(RATE),
    ):
        kernel = keras.Variable(start, name="kernel")
        for gradient in gradients:
            optimizer.apply([ops.convert_to_tensor(gradient)], [kernel])
        results.append(ops.convert_to_numpy(kernel))
    for found in results[:2]:
        np.testing.assert_allclose(found, results[2], rtol=1e-5, atol=1e-6)


def loss_after(optimizer, inputs, wanted, steps: int) -> float:
    layer = keras.layers.Dense(wanted.shape[1], name="read")
    model = keras.Sequential([keras.Input((inputs.shape[1],)), layer])
    layer.set_weights([np.zeros((inputs.shape[1], wanted.shape[1])), wanted.mean(0)])
    model.compile(optimizer, loss="mse", jit_compile=False)
    if isinstance(optimizer, WhitenedAdam):
        optimizer.build(model.trainable_variables)
        optimizer.whiten({"read/kernel": inputs})
    model.fit(inputs, wanted, batch_size=len(inputs), epochs=steps, verbose=0)
    return float(model.evaluate(inputs, wanted, verbose=0, batch_size=len(inputs)))


def test_it_reads_what_a_common_part_hides():
    """What is wanted is in the small differences of inputs that rise together."""
    inputs = positive()
    wanted = inputs[:, :2] - inputs[:, 2:4]
    wanted = (wanted - wanted.mean(0)).astype("float32")
    ours = loss_after(WhitenedAdam(0.05, whitened=("read/kernel",)), inputs, wanted, 40)
    adams = loss_after(keras.optimizers.Adam(0.05), inputs, wanted, 40)
    assert ours < 0.5 * adams
    assert ours < 0.2 * float(np.square(wanted).mean())


def inner(explainer):
    optimizer = explainer.optimizer
    return getattr(optimizer, "inner_optimizer", optimizer)


def test_an_explainer_with_places_learns_so(small_teacher):
    explainer = made(small_teacher, **PLACES)
    assert type(inner(explainer)) is WhitenedAdam
    images = make_images(16)
    explainer.fit(images, epochs=1, batch_size=8, verbose=0)
    bases = [basis for basis in inner(explainer)._bases if basis is not None]
    # Of the ordinary track's inputs and of the adapter's.
    assert [tuple(basis.shape) for basis in bases] == [(12, 12), (12, 12)]
    values = [ops.convert_to_numpy(basis) for basis in bases]
    assert all(np.abs(v - np.eye(12)).max() > 0.1 for v in values)
    # Learning on keeps the coordinates that the moments are of.
    explainer.fit(images[::-1], epochs=1, batch_size=8, verbose=0)
    for basis, before in zip(bases, values, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(basis), before)


@pytest.mark.one_backend
def test_others_learn_as_they_are_told(small_teacher):
    assert type(made(small_teacher).optimizer) is type(keras.optimizers.Adam())
    for optimizer in ("sgd", keras.optimizers.SGD(1e-3)):
        explainer = made(small_teacher, optimizer, **PLACES)
        explainer.fit(make_images(8), epochs=1, batch_size=8, verbose=0)
        assert type(explainer.optimizer) is type(keras.optimizers.SGD())
    plain = made(small_teacher, whitened=False, **PLACES)
    assert not isinstance(plain.optimizer, WhitenedAdam)


@pytest.mark.one_backend
def test_the_loss_may_be_scaled(small_teacher):
    explainer = made(small_teacher, dtype="mixed_float16", **PLACES)
    explainer.fit(make_images(8), epochs=1, batch_size=8, verbose=0)
    assert inner(explainer) is not explainer.optimizer
    assert inner(explainer).is_measured


@pytest.mark.one_backend
def test_a_backup_keeps_the_coordinates(small_teacher):
    explainer = made(small_teacher, **PLACES)
    explainer.fit(make_images(8), epochs=1, batch_size=8, verbose=0)
    other = made(small_teacher, **PLACES)
    TrainingState.of(explainer, {}).apply(other)
    assert inner(other).is_measured
    pairs = zip(inner(explainer)._bases, inner(other)._bases, strict=True)
    for mine, theirs in pairs:
        assert (mine is None) == (theirs is None)
        if mine is not None:
            np.testing.assert_array_equal(
                ops.convert_to_numpy(mine), ops.convert_to_numpy(theirs)
            )


def test_norms_of_places_rest_while_learning(small_teacher):
    explainer = made(small_teacher, **PLACES)
    explainer.fit(make_images(8), epochs=0, batch_size=8, verbose=0)
    norms = explainer.encoder.norm_interpretable, explainer.encoder.norm_ordinary
    before = [ops.convert_to_numpy(norm.alpha) for norm in norms]
    assert all(np.abs(alpha - 1).max() > 1e-3 for alpha in before)
    explainer.fit(make_images(8), epochs=2, batch_size=8, verbose=0)
    for norm, alpha in zip(norms, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(norm.alpha), alpha)
