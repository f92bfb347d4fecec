"""Normalisation of each cell's channels by their neighbours (AlexNet)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainer.errors import ConfigError
from keras_explainer.registration import registered


@registered
class LocalResponseNormalization(keras.layers.Layer):
    """`y_c = x_c / (kappa + alpha Σ x_k²)^beta`, the sum over `size` channels around c.

    Krizhevsky et al. 2012, section 3.3, in the form of MatConvNet: `alpha` multiplies
    the sum itself (Caffe's alpha divided by its `local_size`). Computed in float32.

    Args:
        size: channels in the window, odd, at least 1.
        kappa, alpha, beta: constants; kappa above 0.

    Input and output: `(N, H, W, C)`.

    Raises:
        ConfigError: values that are not accepted.
    """

    def __init__(
        self,
        size: int = 5,
        kappa: float = 1.0,
        alpha: float = 2e-5,
        beta: float = 0.75,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if size < 1 or size % 2 == 0:
            raise ConfigError(f"size must be odd and at least 1, got {size}.")
        if kappa <= 0:
            raise ConfigError(f"kappa must be above 0, got {kappa}.")
        self.size, self.kappa, self.alpha, self.beta = size, kappa, alpha, beta

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32")
        place = np.arange(inputs.shape[-1])
        near = np.abs(place[:, None] - place) <= self.size // 2
        # A product with a band of ones, and no power: several times as fast as sums of
        # shifted maps and `ops.power`, forward and backward.
        total = ops.matmul(ops.square(x), near.astype("float32"))
        y = x * ops.exp(-self.beta * ops.log(self.kappa + self.alpha * total))
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "kappa": self.kappa,
            "alpha": self.alpha,
            "beta": self.beta,
        }
