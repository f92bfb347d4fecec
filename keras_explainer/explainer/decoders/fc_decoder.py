"""The paper's decoder: dense layers that reconstruct dense layers."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.registration import registered


@registered
class FCDecoder(keras.layers.Layer):
    """Flatten, then a dense layer for each target, one on top of the other.

    Each dense layer's output reconstructs one target (fc-dec-1 → fc6, fc-dec-2 → fc7;
    arXiv 1805.07468, section 3.1).

    Args:
        units: `{target: number of features}` in graph order.
        activations: `{target: activation}`; "relu" where the target is not signed.
        seed: of the start weights.

    Input: `x_enc` `(N, H, W, F)`. Output: dict `{target: (N, units)}`.
    """

    def __init__(
        self,
        units: dict[str, int],
        activations: dict[str, str],
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = dict(units)
        self.activations = dict(activations)
        self.seed = seed
        self.flatten = keras.layers.Flatten(name="flatten")
        self.dense = [
            keras.layers.Dense(
                size,
                activation=self.activations[target],
                kernel_initializer=keras.initializers.HeNormal(seed + number),
                dtype=self.dtype_policy,
                name=f"fc_dec_{number + 1}",
            )
            for number, (target, size) in enumerate(self.units.items())
        ]

    def build(self, input_shape: Any) -> None:
        shape = self.flatten.compute_output_shape(input_shape)
        for layer in self.dense:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, encoding: Any, training: bool | None = None) -> dict[str, Any]:
        features = self.flatten(encoding)
        reconstructions = {}
        for target, layer in zip(self.units, self.dense, strict=True):
            reconstructions[target] = features = layer(features)
        return reconstructions

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activations": self.activations,
            "seed": self.seed,
        }
