"""Distillation and share loss against the equations."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from reference import filter_loss
from reference import tracks as reference
from test_case import gradient, noise, to_numpy

from keras_explainer.losses import relative_squared_error, share_loss


@pytest.mark.parametrize("shape", [(3, 5, 7, 4), (2, 9), (1, 3, 1, 2), (4,)])
@pytest.mark.parametrize("variance", [0.5, 7.0, 1e4])
def test_relative_squared_error_equals_reference(shape, variance):
    features, reconstruction = noise(shape, 1) * 3, noise(shape, 2)
    found = relative_squared_error(features, reconstruction, variance)
    assert float(to_numpy(found)) == pytest.approx(
        reference.relative_squared_error(features, reconstruction, variance), rel=1e-5
    )


def test_the_mean_as_reconstruction_costs_one():
    features = noise((50, 3, 4, 2))
    variance = features.var(0).sum()
    mean = np.broadcast_to(features.mean(0), features.shape)
    found = relative_squared_error(features, mean, variance)
    assert float(to_numpy(found)) == pytest.approx(1.0, rel=1e-5)


def test_gradient():
    features, reconstruction = noise((3, 4, 5, 2), 1), noise((3, 4, 5, 2), 2)
    found = gradient(lambda x: relative_squared_error(features, x, 7.0), reconstruction)
    np.testing.assert_allclose(
        found, 2 * (reconstruction - features) / (3 * 7.0), rtol=1e-4, atol=1e-6
    )


def test_no_variance_stays_finite():
    features = np.ones((2, 3), "float32")
    assert np.isfinite(to_numpy(relative_squared_error(features, features, 0.0)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision_is_summed_in_float32(dtype):
    features = ops.cast(noise((2, 40, 40, 8)) * 30, dtype)
    found = relative_squared_error(features, 0 * features, 10.0)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    values = to_numpy(features)
    assert float(to_numpy(found)) == pytest.approx(
        (values**2).sum((1, 2, 3)).mean() / 10, rel=1e-4
    )


@pytest.mark.parametrize("logit", [-30.0, -10.0, -1.0, 0.0, 2.5, 10.0])
def test_share_loss_equals_reference(logit):
    found = float(to_numpy(share_loss(ops.convert_to_tensor(logit, "float32"))))
    assert found == pytest.approx(reference.share_loss(logit), rel=1e-5)
    slope = gradient(share_loss, np.float32(logit))
    expected = filter_loss.numerical_gradient(
        lambda w: reference.share_loss(float(w)), np.float64(logit)
    )
    assert float(slope) == pytest.approx(float(expected), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("logit", [-1e4, 1e4])
def test_share_loss_is_never_infinite(logit):
    found = float(to_numpy(share_loss(ops.convert_to_tensor(logit, "float32"))))
    assert found == pytest.approx(max(0.0, -logit))
