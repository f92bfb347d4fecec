"""The gradient with respect to an input, against central differences."""

from __future__ import annotations

import numpy as np
from keras import ops

from keras_explainer.gradients import input_gradient


def test_equals_central_differences() -> None:
    inputs = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    weights = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")

    def function(x):
        scale = ops.convert_to_tensor(weights)
        return ops.sum(scale * ops.sin(x) * ops.square(x))

    found = ops.convert_to_numpy(input_gradient(function, inputs))
    x = inputs.astype("float64")
    expected = weights * (np.cos(x) * x**2 + 2 * x * np.sin(x))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
