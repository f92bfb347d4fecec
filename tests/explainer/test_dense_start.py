"""The start of dense decoders: ridge regression with fewer images than inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from quick import learned, made
from sklearn.linear_model import Ridge
from small_teacher import make_images, make_teacher

from keras_explainer.explainer.dense_start import PENALTIES, _dual_ridge

pytestmark = pytest.mark.one_backend


def rows(count: int, width: int, noise: float) -> tuple[np.ndarray, ...]:
    """Inputs, outputs that two of their directions tell, folds of four views each."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(count, 2))
    inputs = hidden @ random.normal(size=(2, width)) + random.normal(
        0, 0.5, (count, width)
    )
    outputs = hidden @ random.normal(size=(2, 3)) + 5
    outputs += noise * random.normal(size=outputs.shape)
    return (
        inputs.astype("float32"),
        outputs.astype("float32"),
        np.repeat(np.arange(count // 4) % 5, 4),
    )


def test_it_is_ridge_regression_with_the_penalty_that_predicts_best() -> None:
    inputs, outputs, folds = rows(60, 200, 0.3)
    kernel, bias, left_out = _dual_ridge(inputs, outputs, folds)
    centred = inputs - inputs.mean(0)
    size = np.square(centred).sum(1).mean()
    errors, predictions = [], []
    for penalty in PENALTIES:
        predicted = np.empty_like(outputs)
        for fold in range(5):
            out = folds == fold
            model = Ridge(alpha=penalty * size, fit_intercept=False)
            model.fit(centred[~out], (outputs - outputs.mean(0))[~out])
            predicted[out] = model.predict(centred[out]) + outputs.mean(0)
        errors.append(np.square(predicted - outputs).sum())
        predictions.append(predicted)
    best = int(np.argmin(errors))
    np.testing.assert_allclose(left_out, predictions[best], atol=1e-3)
    whole = Ridge(alpha=PENALTIES[best] * size).fit(inputs, outputs)
    np.testing.assert_allclose(kernel, whole.coef_.T, atol=1e-4)
    np.testing.assert_allclose(bias, whole.intercept_, atol=1e-3)


def test_noise_is_not_learned() -> None:
    inputs, _, folds = rows(60, 200, 0.0)
    outputs = np.random.default_rng(1).normal(size=(60, 3)).astype("float32")
    _, _, left_out = _dual_ridge(inputs, outputs, folds)
    error = np.square(left_out - outputs).mean()
    assert error < 1.3 * np.square(outputs - outputs.mean(0)).mean()


@pytest.mark.parametrize("count", [1, 2])
def test_few_images(count: int) -> None:
    inputs, outputs, _ = rows(20, 30, 0.0)
    inputs, outputs = inputs[:count], outputs[:count]
    kernel, bias, left_out = _dual_ridge(inputs, outputs, np.arange(count))
    assert np.isfinite(kernel).all() and left_out.shape == outputs.shape
    np.testing.assert_allclose(
        (inputs @ kernel + bias).mean(0), outputs.mean(0), atol=1e-3
    )


@pytest.mark.parametrize("settings", [{}, {"recipe": "places", "filters": 8}], ids=str)
def test_dense_layers_of_a_teacher_are_predicted_after_the_start(
    settings: dict[str, Any],
) -> None:
    """Unseen images, and nothing learned: better than the mean, for both layers."""
    teacher = make_teacher(hidden=(10, 7), targets=("fc1", "fc2"))
    if settings:
        settings = {**settings, "places": 2}
    explainer = learned(
        teacher,
        make_images(64, seed=1),
        decoder="fc",
        fit={"epochs": 0},
        **settings,
    )
    figures = explainer.evaluate(make_images(32, seed=2), verbose=0, return_dict=True)
    assert figures["explained_variance_fc1"] > 0.1
    assert figures["explained_variance_fc2"] > 0.1
    without = made(teacher, decoder="fc", warm_start=False)
    before = without.evaluate(make_images(32, seed=2), verbose=0, return_dict=True)
    assert before["explained_variance_fc1"] < figures["explained_variance_fc1"] - 0.1
