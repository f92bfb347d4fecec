"""SplitDense: the same as Dense, in pieces where its kernel is large."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from test_case import BACKEND, TestCase, gradient, noise, to_numpy

from keras_explainer.layers import SplitDense, split_dense


class TestSplitDense(TestCase):
    @pytest.fixture(autouse=True)
    def small_is_large(self, monkeypatch):
        """Kernels of a hundred values are split."""
        monkeypatch.setattr(split_dense, "LARGE", 100)

    def test_layer(self):
        self.run_layer_test(
            SplitDense(7, activation="relu"),
            (3, 16),
            expected_output_shape=(3, 7),
            trainable_weights=2,
            non_trainable_weights=0,
        )

    @pytest.mark.parametrize("bias", [True, False])
    @pytest.mark.parametrize("activation", [None, "relu", "softmax"])
    def test_equals_the_product(self, bias, activation):
        layer = SplitDense(7, activation=activation, use_bias=bias)
        x = noise((5, 40))
        layer.build(x.shape)
        if bias:
            layer.bias.assign(noise((7,), 3))
        assert layer._splits(x) == (BACKEND == "tensorflow")
        weights = [to_numpy(weight) for weight in layer.weights]
        expected = x.astype("float64") @ weights[0] + (weights[1] if bias else 0)
        if activation == "relu":
            expected = np.maximum(expected, 0)
        elif activation == "softmax":
            expected = np.exp(expected)
            expected /= expected.sum(1, keepdims=True)
        np.testing.assert_allclose(to_numpy(layer(x)), expected, rtol=1e-4, atol=1e-5)

    def test_gradient(self):
        """Of the sum of squares: twice the outputs times the kernel."""
        layer = SplitDense(7)
        x = noise((5, 40))
        layer.build(x.shape)
        kernel = to_numpy(layer.kernel)
        found = gradient(lambda given: ops.sum(ops.square(layer(given))), x)
        expected = 2 * x.astype("float64") @ kernel @ kernel.T
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize(
        "shape, units", [((5, 42), 7), ((5, 8), 7), ((2, 5, 40), 7), ((5, 1, 40), 7)]
    )
    def test_what_is_not_split_is_dense(self, shape, units):
        """An odd number of inputs, a small kernel, more than rows."""
        mine, theirs = SplitDense(units), keras.layers.Dense(units)
        x = noise(shape)
        mine.build(x.shape)
        theirs.build(x.shape)
        theirs.set_weights(mine.get_weights())
        assert not mine._splits(x)
        np.testing.assert_array_equal(to_numpy(mine(x)), to_numpy(theirs(x)))


def test_published_networks_are_split(monkeypatch):
    """fc6 and fc7 are; the answer of a thousand classes is not."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    for inputs, units, splits in ((25088, 4096, True), (4096, 4096, True)):
        assert SplitDense(units)._splits(np.empty((1, inputs))) is splits
    assert not SplitDense(1000)._splits(np.empty((1, 4096)))
