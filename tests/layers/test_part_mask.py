"""PartMask against the equations, and what must hold for any map."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from reference import part_mask as reference
from test_case import TestCase, compiled, examples, gradient, noise, run, to_numpy

from keras_explainer.errors import ConfigError
from keras_explainer.layers import PartMask

SHAPES = [(3, 5, 7, 4), (2, 8, 3, 2), (2, 1, 6, 3), (3, 1, 1, 2), (1, 14, 14, 3)]


def relu_maps(shape, seed=0, levels=None, silent=False):
    maps = np.maximum(noise(shape, seed), 0)
    if levels is not None:
        maps = np.round(maps * levels / max(maps.max(), 1)).astype("float32")
    if silent:
        maps[0] = 0
        maps[..., 0] = 0
    return maps


class TestPartMask(TestCase):
    @pytest.mark.parametrize("peaks", [1, 3])
    def test_layer(self, peaks):
        # Tenths: their order is the same in every precision.
        maps = np.round(relu_maps((3, 5, 7, 4)) * 4) / 4
        self.run_layer_test(
            PartMask(beta=3.0, peaks=peaks),
            inputs=maps,
            expected_output_shape=(3, 5, 7, 4),
            trainable_weights=0,
            non_trainable_weights=0,
        )

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("beta", [4.0, 1.5, 12.0])
    def test_equals_reference(self, shape, beta):
        maps = relu_maps(shape, silent=shape[0] > 1)
        found = to_numpy(run(PartMask(beta), maps))
        np.testing.assert_allclose(found, reference.part_mask(maps, beta), atol=1e-6)

    @pytest.mark.parametrize("peaks", [1, 2, 4])
    @pytest.mark.parametrize("levels", [1, 2, None])
    def test_ties_and_several_peaks_equal_reference(self, peaks, levels):
        for seed, shape in enumerate(SHAPES):
            maps = relu_maps(shape, seed, levels, silent=shape[0] > 1)
            layer = PartMask(4.0, peaks)
            np.testing.assert_allclose(
                to_numpy(compiled(layer.mask)(ops.convert_to_tensor(maps))),
                reference.mask(maps, 4.0, peaks),
                atol=1e-6,
            )

    def test_first_of_tied_cells_in_row_major_order(self):
        maps = np.zeros((1, 5, 9, 1), "float32")
        maps[0, 1, 7] = maps[0, 3, 0] = maps[0, 1, 8] = 2.0
        out = to_numpy(run(PartMask(4.0), maps))[0, ..., 0]
        assert out[1, 7] == 2.0 and 0 < out[1, 8] < 2.0 and out[3, 0] == 0.0

    def test_second_peak_needs_something_outside_the_first_mask(self):
        """A lone blob near the corner: no second mask at the first cell."""
        maps = np.zeros((1, 16, 16, 1), "float32")
        maps[0, 1, 1], maps[0, 0, 0] = 2.0, 1.0
        one, two = (to_numpy(run(PartMask(4.0, peaks), maps)) for peaks in (1, 2))
        np.testing.assert_array_equal(one, two)
        maps[0, 12, 12] = 0.5
        assert to_numpy(run(PartMask(4.0, 2), maps))[0, 12, 12, 0] == 0.5
        assert to_numpy(run(PartMask(4.0, 1), maps))[0, 12, 12, 0] == 0.0

    def test_position_is_a_constant_to_the_gradient(self):
        maps = relu_maps((2, 5, 6, 3), seed=3)
        weights = noise(maps.shape, 4)
        layer = PartMask(4.0)
        found = gradient(lambda x: ops.sum(ops.multiply(layer(x), weights)), maps)
        np.testing.assert_allclose(
            found, weights * reference.mask(maps), rtol=1e-5, atol=1e-6
        )

    @settings(max_examples=examples(40), deadline=None)
    @given(
        height=st.sampled_from([1, 3, 6]),
        width=st.sampled_from([1, 4, 7]),
        beta=st.floats(0.1, 30),
        peaks=st.integers(1, 3),
        levels=st.sampled_from([None, 1, 2]),
        seed=st.integers(0, 2**31),
        policy=st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    )
    def test_mask_is_a_share_and_one_at_the_peak(
        self, height, width, beta, peaks, levels, seed, policy
    ):
        maps = relu_maps((2, height, width, 3), seed, levels)
        layer = PartMask(beta, peaks, dtype=policy)
        low = ops.cast(maps, layer.compute_dtype)
        mask = to_numpy(compiled(layer.mask)(low))
        assert mask.min() >= 0 and mask.max() <= 1
        at_peak = to_numpy(low) == to_numpy(low).max((1, 2), keepdims=True)
        assert ((mask == 1) & at_peak).any((1, 2)).all()

    def test_wrong_arguments(self):
        for arguments in ({"beta": 0}, {"beta": -1}, {"beta": float("nan")}):
            with pytest.raises(ConfigError, match="beta"):
                PartMask(**arguments)
        for peaks in (0, 1.5, -1):
            with pytest.raises(ConfigError, match="peaks"):
                PartMask(peaks=peaks)

    def test_maps_of_unknown_size_are_refused(self):
        with pytest.raises(ConfigError, match="known size"):
            PartMask()(keras.Input((None, 5, 3)))
        with pytest.raises(ConfigError, match="known size"):
            PartMask()(np.zeros((5, 3), "float32"))
