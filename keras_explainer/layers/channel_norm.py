"""Channel norm: brings every channel to a mean positive activation of one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer import global_batch
from keras_explainer.errors import ConfigError
from keras_explainer.registration import registered


@registered
class ChannelNorm(keras.layers.Layer):
    """Divides each channel by its mean positive activation over the data.

    `y_k = x_k / alpha_k`, `alpha_k = E_x E_ij max(x_ijk, 0)` (arXiv 1805.07468,
    section 3.1), so that both tracks reach the gate at unit scale. `alpha` is a running
    mean with bias correction: it starts from the first batch of data, not from 1,
    which would be wrong by orders of magnitude for sparse, masked maps. It is a
    constant to the gradient. Before any data has been seen, `alpha` is 1. As with
    Keras' batch norm, `trainable = False` keeps the state as it is in training too.

    Args:
        momentum: share of the old state kept at each training step, in [0, 1).
        epsilon: lower bound of `alpha`, above 0, so that a channel that never fires
            stays at zero.
        floor: another lower bound, as a share of the mean of all channels' activations,
            in [0, 1). A channel that has all but died would else be brought up to unit
            mean, and the one image on which it fires to thousands, through whatever
            reads it. 0 for the paper's norm.

    Input, output: `(N, ..., C)`. The state is float32 whatever the compute dtype;
    under data parallelism the mean is over the images of all replicas.
    """

    def __init__(
        self,
        momentum: float = 0.95,
        epsilon: float = 1e-5,
        floor: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= momentum < 1:
            raise ConfigError(f"momentum must be in [0, 1), got {momentum}.")
        if not epsilon > 0:
            raise ConfigError(f"epsilon must be above 0, got {epsilon}.")
        if not 0 <= floor < 1:
            raise ConfigError(f"floor must be in [0, 1), got {floor}.")
        self.floor = float(floor)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        self.running_sum = self.add_weight(
            shape=(input_shape[-1],),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="mean",
            name="running_sum",
        )
        self.running_weight = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            aggregation="only_first_replica",
            name="running_weight",
        )

    @property
    def alpha(self) -> Any:
        """What each channel is divided by, `(C,)`: its mean positive activation.

        At least `epsilon`, and `floor` times the mean over all channels.
        """
        weight = ops.convert_to_tensor(self.running_weight)
        mean = self.mean_activation
        least = ops.maximum(self.epsilon, self.floor * ops.mean(mean))
        return ops.where(weight > 0, ops.maximum(mean, least), 1.0)

    @property
    def mean_activation(self) -> Any:
        """Mean positive activation of each channel, `(C,)`; 0 before any data."""
        weight = ops.convert_to_tensor(self.running_weight)
        return self.running_sum / ops.maximum(weight, 1e-12)

    def reset_state(self) -> None:
        """Forgets all data seen."""
        self.running_sum.assign(ops.zeros(self.running_sum.shape))
        self.running_weight.assign(0.0)

    def set_alpha(self, alpha: Any) -> None:
        """Sets the state as if `alpha`, `(C,)`, had always been measured."""
        self.running_sum.assign(ops.convert_to_tensor(alpha, "float32"))
        self.running_weight.assign(1.0)

    def call(self, features: Any, training: bool | None = None) -> Any:
        if training and self.trainable:
            self.observe(features)
        # At least float32: 1 / epsilon is infinite in float16.
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        scale = ops.cast(ops.stop_gradient(1.0 / self.alpha), wide)
        return ops.cast(ops.cast(features, wide) * scale, self.compute_dtype)

    def observe(self, features: Any) -> None:
        """Takes a batch into the running mean."""
        positive = ops.relu(ops.cast(ops.stop_gradient(features), "float32"))
        # Images have equal numbers of cells: the mean over all cells of all images.
        mean = global_batch.image_mean(ops.reshape(positive, (-1, features.shape[-1])))
        keep = self.momentum
        self.running_sum.assign(keep * self.running_sum + (1.0 - keep) * mean)
        self.running_weight.assign(keep * self.running_weight + (1.0 - keep))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "floor": self.floor,
        }
