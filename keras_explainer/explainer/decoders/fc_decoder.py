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
        widest: inputs of a dense layer up to which they are taken as they are. More
            are multiplied by `widest / inputs`: an optimiser whose step does not depend
            on the gradient's size (Adam) moves each weight as far, whether the layer
            sums a hundred of them or a hundred thousand.

    Input: `x_enc` `(N, H, W, F)`. Output: dict `{target: (N, units)}`.
    """

    def __init__(
        self,
        units: dict[str, int],
        activations: dict[str, str],
        seed: int = 0,
        widest: int = 256,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = dict(units)
        self.activations = dict(activations)
        self.seed = seed
        self.widest = widest
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
            features = layer(self._step_scale(features.shape[-1]) * features)
            reconstructions[target] = features
        return reconstructions

    def set_dense(self, target: str, kernel: Any, bias: Any) -> None:
        """Sets the layer of a target to `activation(inputs @ kernel + bias)`."""
        layer = self.dense[list(self.units).index(target)]
        layer.set_weights([kernel / self._step_scale(kernel.shape[0]), bias])

    def _step_scale(self, inputs: int) -> float:
        return min(1.0, self.widest / inputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activations": self.activations,
            "seed": self.seed,
            "widest": self.widest,
        }
