"""GroupedPartConv2D: a place, readings at it, and the mask around both."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from reference import part_mask
from test_case import TestCase, noise, run, to_numpy
from test_interpretable_conv2d import convolved

from keras_explainer.errors import ConfigError
from keras_explainer.layers import GroupedPartConv2D


class TestGroupedPartConv2D(TestCase):
    @pytest.mark.parametrize(
        "options",
        [
            {"places": 2, "group_size": 3},
            {
                "places": 3,
                "group_size": 1,
                "mask_beta": 1.5,
                "mask_flat": True,
            },
        ],
        ids=["default", "flat and wide"],
    )
    def test_layer(self, options):
        filters = options["places"] * options["group_size"]
        self.run_layer_test(
            GroupedPartConv2D(**options),
            [(4, 5, 7, options["places"]), (4, 5, 7, 3)],
            expected_output_shape=(4, 5, 7, filters),
            trainable_weights=2,
            non_trainable_weights=0,
            # Rounding may move a peak from a cell to one that is nearly as high.
            agreeing=0.9,
        )

    @pytest.mark.parametrize("flat", [False, True])
    def test_equals_reference(self, flat):
        detections, features = (
            np.maximum(noise((3, 5, 7, 2)), 0),
            noise((3, 5, 7, 4), 1),
        )
        layer = GroupedPartConv2D(2, 3, mask_beta=2.0, mask_flat=flat)
        found = to_numpy(run(layer, [detections, features]))
        kernel, bias = layer.readings.get_weights()
        maps = np.maximum(convolved(features, kernel, bias), 0)
        for filter_ in range(6):
            maps[..., filter_] += detections[..., filter_ // 3]
        mask = np.repeat(part_mask.mask(detections, 2.0), 3, axis=-1)
        if flat:
            mask = (mask > 0).astype("float64")
        tensors = [ops.convert_to_tensor(x) for x in (detections, features)]
        np.testing.assert_allclose(to_numpy(layer.activation(tensors)), maps, atol=1e-5)
        np.testing.assert_allclose(found, maps * mask, atol=1e-5)

    def test_a_group_has_the_place_of_its_detection(self):
        detections = np.zeros((1, 6, 6, 1), "float32")
        detections[0, 2, 4] = 100
        layer = GroupedPartConv2D(1, 5, kernel_initializer="ones")
        features = noise((1, 6, 6, 3))
        maps = to_numpy(run(layer, [detections, features]))[0]
        peaks = maps.reshape(36, 5).argmax(0)
        np.testing.assert_array_equal(peaks, 2 * 6 + 4)

    def test_keeps_nothing_of_a_place_without_detection(self):
        detections, features = np.abs(noise((2, 5, 7, 2))), noise((2, 5, 7, 4), 1)
        detections[0, ..., 1] = 0
        layer = GroupedPartConv2D(2, 3, mask_beta=1.0, mask_flat=True)
        found = to_numpy(run(layer, [detections, features]))
        assert not found[0, ..., 3:].any()
        for image, place in ((0, 0), (1, 0), (1, 1)):
            assert found[image, ..., 3 * place : 3 * place + 3].any()

    def test_refuses_another_number_of_detections(self):
        with pytest.raises(
            ConfigError, match="2 places need as many detections, got 3"
        ):
            GroupedPartConv2D(2, 3).build([(None, 5, 7, 3), (None, 5, 7, 4)])

    @pytest.mark.parametrize("options", [(0, 3), (3, 0)])
    def test_refuses(self, options):
        with pytest.raises(ConfigError, match="places and group_size"):
            GroupedPartConv2D(*options)
