"""InterpretableConv2D: conv, ReLU, part mask, and the filter loss by `add_loss`."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from reference import filter_loss, part_mask
from test_case import TestCase, noise, run, to_numpy

from keras_explainer.layers import InterpretableConv2D
from keras_explainer.losses import FilterLoss


def convolved(images, kernel, bias):
    """Stride 1, padding 'same', odd kernel, channels last."""
    rows, columns = kernel.shape[:2]
    padded = np.pad(
        images.astype("float64"),
        ((0, 0), (rows // 2, rows // 2), (columns // 2, columns // 2), (0, 0)),
    )
    out = np.zeros((*images.shape[:3], kernel.shape[-1]))
    for i in range(images.shape[1]):
        for j in range(images.shape[2]):
            patch = padded[:, i : i + rows, j : j + columns]
            out[:, i, j] = np.tensordot(patch, kernel, 3) + bias
    return out


class TestInterpretableConv2D(TestCase):
    @pytest.mark.parametrize(
        "options",
        [
            {"filters": 4},
            {
                "filters": 3,
                "kernel_size": (3, 1),
                "peaks": 2,
                "filter_loss": FilterLoss(beta=3.0, filters_per_chunk=2),
                "filter_loss_weight": 0.7,
                "use_bias": False,
            },
        ],
        ids=["default", "with filter loss"],
    )
    def test_layer(self, options):
        self.run_layer_test(
            InterpretableConv2D(**options),
            (4, 5, 7, 3),
            expected_output_shape=(4, 5, 7, options["filters"]),
            trainable_weights=2 if options.get("use_bias", True) else 1,
            non_trainable_weights=0,
            # Rounding may move a peak from a cell to one that is nearly as high.
            agreeing=0.9,
        )

    def test_equals_reference(self):
        features = noise((3, 5, 7, 4))
        layer = InterpretableConv2D(6, beta=3.0, bias_initializer="random_normal")
        found = to_numpy(run(layer, features))
        kernel, bias = layer.get_weights()
        maps = np.maximum(convolved(features, kernel, bias), 0)
        np.testing.assert_allclose(
            to_numpy(layer.activation(features)), maps, atol=1e-5
        )
        np.testing.assert_allclose(found, part_mask.part_mask(maps, 3.0), atol=1e-5)

    @pytest.mark.parametrize("temperature", [10.0, None])
    def test_adds_the_filter_loss_of_the_maps_before_the_mask(self, temperature):
        features = noise((5, 4, 6, 3)) * 4
        layer = InterpretableConv2D(
            4,
            filter_loss=FilterLoss(temperature=temperature),
            filter_loss_weight=0.3,
        )
        layer(features)
        assert layer.losses == []
        layer(features, training=True)
        maps = to_numpy(layer.activation(features))
        expected = filter_loss.filter_loss(maps, temperature=temperature).mean()
        assert len(layer.losses) == 1
        assert float(to_numpy(layer.losses[0])) == pytest.approx(
            0.3 * expected, rel=1e-4, abs=1e-7
        )
        assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float32"

    def test_weight_zero_adds_nothing(self):
        layer = InterpretableConv2D(2, filter_loss=FilterLoss())
        layer(noise((2, 3, 3, 1)), training=True)
        assert layer.losses == []

    def test_learning_lowers_the_filter_loss(self):
        features = np.maximum(noise((6, 5, 7, 4)), 0)
        keras.utils.set_random_seed(1)
        layer = InterpretableConv2D(3, filter_loss=FilterLoss(), filter_loss_weight=1.0)
        image = keras.Input(features.shape[1:])
        model = keras.Model(image, 0.0 * ops.mean(layer(image), axis=(1, 2, 3)))
        model.compile(keras.optimizers.Adam(1e-2), loss="mse")
        goal = np.zeros(6, "float32")
        losses = [float(model.train_on_batch(features, goal)) for _ in range(12)]
        assert losses[-1] < losses[0] - 0.05

    def test_config_of_a_default_layer_has_no_loss(self):
        config = InterpretableConv2D(2).get_config()
        assert config["filter_loss"] is None
        assert InterpretableConv2D.from_config(config).filters == 2
