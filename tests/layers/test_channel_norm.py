"""ChannelNorm: running state from data, bias correction, silent channels."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from reference import tracks as reference
from test_case import TestCase, gradient, noise, run, to_numpy

from keras_explainer.errors import ConfigError
from keras_explainer.layers import ChannelNorm


class TestChannelNorm(TestCase):
    def test_layer(self):
        self.run_layer_test(
            ChannelNorm(momentum=0.8),
            (3, 5, 7, 4),
            expected_output_shape=(3, 5, 7, 4),
            trainable_weights=0,
            non_trainable_weights=2,
            float32_state=("running_sum", "running_weight", "alpha"),
        )

    @pytest.mark.parametrize("momentum", [0.0, 0.5, 0.95])
    def test_running_state_equals_reference(self, momentum):
        layer = ChannelNorm(momentum)
        batches = [noise((n, 3, 5, 4), n) * n for n in (2, 7, 1, 3, 5)]
        for seen, batch in enumerate(batches, 1):
            out = to_numpy(run(layer, batch, training=True))
            alpha = reference.running_alpha(batches[:seen], momentum)
            np.testing.assert_allclose(to_numpy(layer.alpha), alpha, rtol=1e-5)
            np.testing.assert_allclose(out, batch / alpha, rtol=2e-5, atol=1e-6)
        before = layer.get_weights()
        np.testing.assert_allclose(
            to_numpy(layer(batches[0], training=False)), batches[0] / alpha, rtol=2e-5
        )
        for old, new in zip(before, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)

    def test_first_batch_counts_whole(self):
        """Sparse, masked maps of mean 1e-3 come out at unit scale at once."""
        maps = np.maximum(noise((4, 9, 5, 2)), 0) * 1e-3
        out = to_numpy(run(ChannelNorm(0.99), maps, training=True))
        np.testing.assert_allclose(out.mean((0, 1, 2)), 1.0, rtol=1e-5)

    def test_at_rest_it_keeps_its_state(self):
        """As Keras' batch norm does; `observe` is told, not a matter of training."""
        layer = ChannelNorm(0.5)
        maps = noise((2, 3, 5, 4)) * 3
        layer.build(maps.shape)
        layer.trainable = False
        np.testing.assert_array_equal(to_numpy(layer(maps, training=True)), maps)
        layer.observe(ops.convert_to_tensor(maps))
        alpha = np.maximum(maps, 0).mean((0, 1, 2))
        np.testing.assert_allclose(to_numpy(layer.alpha), alpha, rtol=1e-5)

    def test_without_data_it_passes_on(self):
        maps = noise((2, 3, 5, 4))
        np.testing.assert_array_equal(to_numpy(ChannelNorm()(maps)), maps)

    @pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
    def test_silent_channel_stays_zero(self, policy):
        maps = np.maximum(noise((2, 3, 5, 4)), 0)
        maps[..., 1] = 0
        layer = ChannelNorm(dtype=policy)
        for training in (True, False):
            out = to_numpy(run(layer, maps, training=training))
            assert np.isfinite(out).all() and (out[..., 1] == 0).all()
            assert (out[..., 0] > 0).any()

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_low_precision_keeps_a_long_mean(self, policy):
        """A state in bfloat16 would stop moving at its eighth bit."""
        layer = ChannelNorm(0.95, dtype=policy)
        for seed in range(60):
            layer(noise((4, 5, 7, 2), seed), training=True)
        exact = ChannelNorm(0.95)
        for seed in range(60):
            exact(noise((4, 5, 7, 2), seed), training=True)
        np.testing.assert_allclose(
            to_numpy(layer.alpha), to_numpy(exact.alpha), rtol=2e-3
        )

    def test_reset_and_set(self):
        layer = ChannelNorm()
        layer(noise((2, 3, 5, 2)), training=True)
        layer.reset_state()
        np.testing.assert_array_equal(to_numpy(layer.alpha), [1, 1])
        layer.set_alpha(np.array([2.0, 4.0]))
        np.testing.assert_array_equal(to_numpy(layer.alpha), [2, 4])

    def test_vectors_too(self):
        batch = noise((6, 3))
        found = to_numpy(ChannelNorm()(batch, training=True))
        np.testing.assert_allclose(
            found, batch / reference.running_alpha([batch], 0.5), rtol=1e-5
        )

    def test_state_is_a_constant_to_the_gradient(self):
        layer = ChannelNorm(0.5)
        first, weights = noise((2, 3, 5, 2), 1), noise((2, 3, 5, 2), 2)
        layer(first, training=True)
        alpha = to_numpy(layer.alpha)
        found = gradient(
            lambda x: ops.sum(ops.multiply(layer(x, training=False), weights)), first
        )
        np.testing.assert_allclose(found, weights / alpha, rtol=1e-5)

    @pytest.mark.parametrize("floor", [0.0, 0.01, 0.2])
    def test_a_channel_that_all_but_died_is_not_blown_up(self, floor):
        """It is divided by a share of the other channels' mean, at least."""
        layer = ChannelNorm(0.5, floor=floor)
        maps = np.ones((2, 4, 4, 3), "float32")
        maps[..., 1] = 0
        maps[..., 2] = 1e-3
        layer(maps, training=True)
        mean = np.array([1, 0, 1e-3], "float64")
        least = max(1e-5, floor * mean.mean())
        np.testing.assert_allclose(
            to_numpy(layer.alpha), np.maximum(mean, least), rtol=1e-5
        )
        np.testing.assert_allclose(to_numpy(layer.mean_activation), mean, rtol=1e-5)
        seen = to_numpy(layer(np.ones_like(maps), training=False))
        assert seen.max() == pytest.approx(1 / least, rel=1e-4)

    def test_wrong_arguments(self):
        for floor in (-0.1, 1.0):
            with pytest.raises(ConfigError, match="floor"):
                ChannelNorm(floor=floor)
        for momentum in (-0.1, 1.0, 2):
            with pytest.raises(ConfigError, match="momentum"):
                ChannelNorm(momentum)
        with pytest.raises(ConfigError, match="epsilon"):
            ChannelNorm(epsilon=0)
