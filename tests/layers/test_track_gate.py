"""TrackGate: the share p in every precision, its step and its bound."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import tracks as reference
from test_case import TestCase, examples, noise, to_numpy

from keras_explainer.errors import ConfigError
from keras_explainer.layers import TrackGate

POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]


class TestTrackGate(TestCase):
    def test_layer(self):
        self.run_layer_test(
            TrackGate(initial_share=0.3),
            [(3, 5, 7, 4), (3, 5, 7, 4)],
            expected_output_shape=(3, 5, 7, 4),
            trainable_weights=1,
            non_trainable_weights=0,
            float32_state=("share_weight", "logit", "share"),
        )

    @pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
    def test_equals_reference(self, share):
        gate = TrackGate(share)
        tracks = [noise((2, 3, 5, 4), 1), noise((2, 3, 5, 4), 2)]
        found = to_numpy(gate(tracks))
        logit = float(to_numpy(gate.logit))
        assert float(to_numpy(gate.share)) == pytest.approx(share, rel=1e-5)
        np.testing.assert_allclose(
            found, reference.gate(*tracks, logit), rtol=1e-4, atol=1e-6
        )

    @settings(max_examples=examples(30), deadline=None)
    @given(
        logit=st.floats(-10, 10, width=32),
        policy=st.sampled_from([*POLICIES, "float64"]),
    )
    def test_share_is_inside_zero_and_one(self, logit, policy):
        if policy == "float64" and keras.backend.backend() == "jax":
            policy = "float32"
        gate = TrackGate(dtype=policy)
        tracks = np.ones((1, 2, 2, 1), "float32")
        gate([tracks, tracks])
        gate.share_weight.assign(logit / gate.step_scale)
        share = float(to_numpy(gate.share))
        assert 0 < share < 1
        assert share == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-3)
        # Neither track is lost, also where the share rounds to 1 in bfloat16.
        only_ordinary = to_numpy(gate([0 * tracks, tracks]))
        only_interpretable = to_numpy(gate([tracks, 0 * tracks]))
        assert only_ordinary == pytest.approx(1 / (1 + np.exp(logit)), rel=1e-2)
        assert only_interpretable == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-2)

    @pytest.mark.parametrize("policy", POLICIES)
    def test_stays_bounded_under_any_step(self, policy):
        """A step of 1e6 towards either end ends at the bound, finite."""
        for direction, end in ((0.0, 0), (10.0, 1)):
            tracks = [keras.Input((1,)), keras.Input((1,))]
            gate = TrackGate(bound=8.0, dtype=policy)
            model = keras.Model(tracks, gate(tracks))
            model.compile(keras.optimizers.SGD(1e6), loss="mse", run_eagerly=True)
            data = [np.array([[10.0]], "float32"), np.array([[0.0]], "float32")]
            for _ in range(2):
                model.train_on_batch(data, np.array([[direction]], "float32"))
            assert abs(float(to_numpy(gate.logit))) <= 8.0 + 1e-5
            share = float(to_numpy(gate.share))
            assert 0 < share < 1 and round(share) == end

    def test_adam_moves_w_by_the_step_scale(self):
        tracks = [keras.Input((1,)), keras.Input((1,))]
        moves = {}
        for scale in (1.0, 20.0):
            gate = TrackGate(step_scale=scale)
            model = keras.Model(tracks, gate(tracks))
            model.compile(keras.optimizers.Adam(1e-3), loss="mse", run_eagerly=True)
            data = [np.array([[1.0]], "float32"), np.array([[0.0]], "float32")]
            for _ in range(5):
                model.train_on_batch(data, np.array([[2.0]], "float32"))
            moves[scale] = float(to_numpy(gate.logit))
        assert moves[1.0] == pytest.approx(5e-3, rel=0.02)
        assert moves[20.0] == pytest.approx(20 * moves[1.0], rel=0.02)

    def test_wrong_arguments(self):
        for share in (0, 1, -0.1, 1.5, float("nan")):
            with pytest.raises(ConfigError, match="initial_share"):
                TrackGate(share)
        with pytest.raises(ConfigError, match="bound"):
            TrackGate(bound=0)
        with pytest.raises(ConfigError, match="bound"):
            TrackGate(step_scale=-1)
        with pytest.raises(ConfigError, match="bound of 2"):
            TrackGate(0.99, bound=2.0)
