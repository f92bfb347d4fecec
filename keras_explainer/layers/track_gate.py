"""The gate: one learned share `p` mixes the two tracks."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from keras_explainer.errors import ConfigError
from keras_explainer.registration import registered


@registered
class MagnitudeLimit(keras.constraints.Constraint):
    """Keeps a variable in [-limit, limit] after each optimiser step."""

    def __init__(self, limit: float) -> None:
        self.limit = float(limit)

    def __call__(self, value: Any) -> Any:
        return ops.clip(value, -self.limit, self.limit)

    def get_config(self) -> dict[str, Any]:
        return {"limit": self.limit}


@registered
class TrackGate(keras.layers.Layer):
    """Mixes the tracks: `x_enc = p · x_interp + (1 - p) · x_ordin`.

    `p = sigmoid(w)` is one learned scalar (arXiv 1805.07468, section 3.1).

    Args:
        initial_share: `p` at the start, in (0, 1).
        step_scale: the stored variable is `w / step_scale`: an optimiser whose step
            does not depend on the gradient's size (Adam) then moves `w` this many
            times faster than other weights. With a few hundred steps `w` would
            otherwise hardly leave its start.
        bound: `w` is kept in [-bound, bound], by a constraint of the stored variable.
            Float32 sigmoid saturates near 20.

    Input: a pair of tensors of one shape. Output: a tensor of that shape. `w` and `p`
    are float32 whatever the compute dtype.
    """

    def __init__(
        self,
        initial_share: float = 0.5,
        step_scale: float = 20.0,
        bound: float = 10.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 < initial_share < 1:
            raise ConfigError(f"initial_share must be in (0, 1), got {initial_share}.")
        if not (step_scale > 0 and bound > 0):
            raise ConfigError(
                f"step_scale and bound must be above 0, got {step_scale}, {bound}."
            )
        if abs(math.log(initial_share / (1 - initial_share))) > bound:
            raise ConfigError(
                f"initial_share {initial_share} lies beyond what a bound of {bound} "
                f"allows, {1 / (1 + math.exp(bound)):.3g} from 0 and 1."
            )
        self.initial_share = float(initial_share)
        self.step_scale = float(step_scale)
        self.bound = float(bound)

    def build(self, input_shape: Any) -> None:
        start = math.log(self.initial_share / (1 - self.initial_share))
        self.share_weight = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start / self.step_scale),
            constraint=MagnitudeLimit(self.bound / self.step_scale),
            dtype="float32",
            autocast=False,
            name="share_weight",
        )

    @property
    def logit(self) -> Any:
        """`w`, a float32 scalar in [-bound, bound]."""
        return self.share_weight * self.step_scale

    @property
    def share(self) -> Any:
        """`p`, a float32 scalar in (0, 1)."""
        return ops.sigmoid(self.logit)

    def call(self, tracks: Any) -> Any:
        interpretable, ordinary = tracks
        share = ops.cast(self.share, self.compute_dtype)
        # Not `1 - share`: that is 0 where bfloat16 rounds the share to 1.
        rest = ops.cast(ops.sigmoid(-self.logit), self.compute_dtype)
        return share * interpretable + rest * ordinary

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_share": self.initial_share,
            "step_scale": self.step_scale,
            "bound": self.bound,
        }
