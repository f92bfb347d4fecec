"""ExplainedVariance against global sums in float64."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics import ExplainedVariance


def features(seed=0, images=37, shape=(5, 3, 2), mean=0.0):
    rng = np.random.default_rng(seed)
    x = mean + rng.normal(0, rng.uniform(0.5, 2, shape), (images, *shape))
    return x.astype("float32"), (x + rng.normal(0, 0.6, x.shape)).astype("float32")


def stream(metric, x, reconstructed, size):
    for start in range(0, len(x), size):
        metric.update_state(
            x[start : start + size], reconstructed[start : start + size]
        )
    return float(metric.result())


@pytest.mark.parametrize("shape", [(), (4,), (5, 3, 2)])
@pytest.mark.parametrize("size", [8, 100])
def test_equals_reference(reference, shape, size):
    x, reconstructed = features(shape=shape)
    expected = reference.explained_variance(x, reconstructed)
    assert 0.3 < expected < 0.95
    result = stream(ExplainedVariance(), x, reconstructed, size)
    assert result == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(("mean", "size"), [(1e2, 8), (-1e4, 8), (1e5, 8), (1e5, 1)])
def test_mean_far_above_spread(reference, mean, size):
    x, reconstructed = features(images=304, mean=mean)
    expected = reference.explained_variance(x, reconstructed)
    result = stream(ExplainedVariance(), x, reconstructed, size)
    assert result == pytest.approx(expected, abs=1e-4)


def test_first_batch_unlike_the_rest(reference):
    """The shift is then far from the mean."""
    x, reconstructed = features(images=512, mean=1000)
    x[:8] -= 1000
    reconstructed[:8] -= 1000
    expected = reference.explained_variance(x, reconstructed)
    result = stream(ExplainedVariance(), x, reconstructed, 8)
    assert 1 - result == pytest.approx(1 - expected, rel=1e-3)


def test_one_constant_feature_with_a_large_mean(reference):
    x, reconstructed = features(shape=(3,))
    x, reconstructed = x * 1e-3, reconstructed * 1e-3
    x[:, 1] = reconstructed[:, 1] = 1e6
    result = stream(ExplainedVariance(), x, reconstructed, 10)
    expected = reference.explained_variance(x, reconstructed)
    assert result == pytest.approx(expected, abs=1e-5)


# Few sizes of batches: every new one is compiled anew on JAX.
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.sampled_from([10, 20]), min_size=1))
def test_order_and_split_do_not_matter(seed, cuts):
    x, reconstructed = features(seed, images=30, shape=(3, 2), mean=5)
    one, other = ExplainedVariance(), ExplainedVariance(feature_shape=(3, 2))
    one.update_state(x, reconstructed)
    order = np.random.default_rng(seed).permutation(30)
    for part in np.split(order, sorted(cuts)):
        other.update_state(x[part], reconstructed[part])
    assert float(other.result()) == pytest.approx(float(one.result()), abs=1e-5)


def test_meanings():
    x, _ = features()
    assert stream(ExplainedVariance(), x, x, 8) == 1
    mean = np.broadcast_to(x.mean(0, dtype="float64"), x.shape)
    assert stream(ExplainedVariance(), x, mean, 8) == pytest.approx(0, abs=1e-6)
    assert stream(ExplainedVariance(), x, x + 10, 8) < -1
    assert ExplainedVariance.direction == "up"


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
def test_nan_without_variance(value):
    metric = ExplainedVariance()
    assert math.isnan(float(metric.result()))
    x = np.full((9, 4), value, "float32")
    assert math.isnan(stream(metric, x[:1], x[:1] + 1, 1))
    assert math.isnan(stream(metric, x[1:], x[1:] + 1, 3))


def test_broken_reconstruction_is_seen():
    x, reconstructed = features()
    reconstructed[3, 0, 0, 0] = np.nan
    assert math.isnan(stream(ExplainedVariance(), x, reconstructed, 8))


def test_sample_weight(reference):
    x, reconstructed = features()
    repeats = np.arange(len(x)) % 3
    metric = ExplainedVariance()
    for part in np.split(np.arange(len(x)), [5, 20]):
        metric.update_state(x[part], reconstructed[part], repeats[part])
    expected = reference.explained_variance(
        np.repeat(x, repeats, 0), np.repeat(reconstructed, repeats, 0)
    )
    assert float(metric.result()) == pytest.approx(expected, abs=2e-6)
    with pytest.raises(DataError, match="one weight for each image"):
        metric.update_state(x, reconstructed, np.ones((37, 5)))
    with pytest.raises(DataError, match=r"\(37,\).*\(36,\)"):
        metric.update_state(x, reconstructed, np.ones(36))


def test_half_precision_is_summed_in_float32(reference):
    x, reconstructed = features(images=400, mean=30)
    x, reconstructed = x.astype("float16"), reconstructed.astype("float16")
    metric = ExplainedVariance(dtype="float16")
    result = stream(metric, x, reconstructed, 8)
    assert result == pytest.approx(
        reference.explained_variance(x, reconstructed), abs=1e-5
    )
    assert {variable.dtype for variable in metric.variables} == {"float32"}


def test_reset():
    x, reconstructed = features()
    metric = ExplainedVariance()
    first = stream(metric, x, reconstructed, 8)
    metric.reset_state()
    assert math.isnan(float(metric.result()))
    assert stream(metric, x + 500, reconstructed + 500, 8) == pytest.approx(
        first, abs=1e-5
    )


def test_shapes_that_do_not_fit():
    x, reconstructed = features()
    metric = ExplainedVariance()
    with pytest.raises(DataError, match="one shape"):
        metric.update_state(x, reconstructed[:, :1])
    with pytest.raises(DataError, match="one shape"):
        metric.update_state(x, reconstructed[..., 0])
    with pytest.raises(DataError, match="leading axis"):
        metric.update_state(1.0, 1.0)
    metric.update_state(x, reconstructed)
    with pytest.raises(DataError, match=r"\(5, 3, 2\).*\(37, 5, 3\)"):
        metric.update_state(x[..., 0], reconstructed[..., 0])
    with pytest.raises(ConfigError, match="feature_shape"):
        ExplainedVariance(feature_shape=(None, 3))


def test_in_evaluate(reference, compile_options):
    x, reconstructed = features(mean=100)
    model = keras.Sequential([keras.Input((5, 3, 2)), keras.layers.Identity()])
    # Lazily built and built at once; the last batch is smaller.
    for shape in (None, (5, 3, 2)):
        model.compile(loss="mse", metrics=[ExplainedVariance(shape)], **compile_options)
        for _ in range(2):
            logs = model.evaluate(
                reconstructed, x, batch_size=16, verbose=0, return_dict=True
            )
            assert logs["explained_variance"] == pytest.approx(
                reference.explained_variance(x, reconstructed), abs=1e-5
            )


def test_early_stopping_knows_the_direction():
    x, reconstructed = features()
    model = keras.Sequential([keras.Input((5, 3, 2)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[ExplainedVariance()])
    stop = keras.callbacks.EarlyStopping("val_explained_variance", patience=1)
    data = (reconstructed, x)
    model.fit(*data, validation_data=data, callbacks=[stop], verbose=0)
    assert stop.monitor_op is keras.ops.greater


@pytest.mark.parametrize("shape", [None, (5, 3, 2)])
def test_serialisation(shape):
    metric = ExplainedVariance(shape, name="conv", dtype="float32")
    config = keras.metrics.serialize(metric)
    assert config["registered_name"] == "keras_explainer>ExplainedVariance"
    copy = keras.metrics.deserialize(config)
    assert copy.get_config() == metric.get_config()
    x, reconstructed = features()
    assert stream(copy, x, reconstructed, 8) == stream(metric, x, reconstructed, 8)
