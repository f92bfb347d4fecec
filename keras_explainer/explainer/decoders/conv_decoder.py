"""Conv decoder: for targets that are maps, from new layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.registration import registered


@registered
class ConvDecoder(keras.layers.Layer):
    """A chain of 3 × 3 convs; each target is read from the chain by a 1 × 1 conv.

    For each target in graph order the chain is brought to the target's size by a conv
    with stride (or by resizing, where sizes do not divide), followed by ReLU; a target
    without spatial axes is read by a dense layer from the mean over cells.

    Args:
        shapes: `{target: shape without batch}` in graph order.
        activations: `{target: activation}` of the output; "relu" or "linear".
        width: channels of the chain; None takes those of each target.
        seed: of the start weights.

    Input: `x_enc` `(N, H, W, F)`. Output: dict `{target: (N, *shape)}`.
    """

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]],
        activations: dict[str, str],
        width: int | None = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.shapes = {target: tuple(shape) for target, shape in shapes.items()}
        self.activations = dict(activations)
        self.width = width
        self.seed = seed
        self.hidden: list[keras.layers.Layer] = []
        self.outputs_by_target: list[keras.layers.Layer] = []
        for number, (target, shape) in enumerate(self.shapes.items()):
            self.hidden.append(
                keras.layers.Conv2D(
                    width or shape[-1],
                    3,
                    padding="same",
                    activation="relu",
                    data_format="channels_last",
                    kernel_initializer=keras.initializers.HeNormal(seed + number),
                    dtype=self.dtype_policy,
                    name=f"conv_dec_{number + 1}",
                )
            )
            self.outputs_by_target.append(
                keras.layers.Dense(
                    shape[-1],
                    activation=self.activations[target],
                    kernel_initializer=keras.initializers.GlorotNormal(
                        seed + 1000 + number
                    ),
                    dtype=self.dtype_policy,
                    name=f"output_{number + 1}",
                )
            )

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        layers = zip(
            self.shapes.values(), self.hidden, self.outputs_by_target, strict=True
        )
        for target, hidden, output in layers:
            size = target[:2] if len(target) == 3 else shape[1:3]
            hidden.strides = _strides(shape[1:3], size)
            hidden.build(shape)
            shape = (shape[0], *size, hidden.filters)
            output.build((shape[0], shape[-1]))

    def call(self, encoding: Any, training: bool | None = None) -> dict[str, Any]:
        features = encoding
        reconstructions = {}
        layers = zip(
            self.shapes.items(), self.hidden, self.outputs_by_target, strict=True
        )
        for (target, shape), hidden, output in layers:
            features = hidden(features)
            if len(shape) == 3 and tuple(features.shape[1:3]) != shape[:2]:
                features = ops.image.resize(
                    features, shape[:2], data_format="channels_last"
                )
            if len(shape) == 3:
                reconstructions[target] = output(features)
            else:
                reconstructions[target] = output(ops.mean(features, axis=(1, 2)))
        return reconstructions

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "shapes": self.shapes,
            "activations": self.activations,
            "width": self.width,
            "seed": self.seed,
        }


def _strides(size: Any, wanted: Any) -> tuple[int, int]:
    """The largest strides that do not go below the wanted size."""
    rows, columns = (max(1, -(-a // b)) for a, b in zip(size, wanted, strict=True))
    # A target that is larger than the chain is reached by resizing.
    while rows > 1 and -(-size[0] // rows) < wanted[0]:
        rows -= 1
    while columns > 1 and -(-size[1] // columns) < wanted[1]:
        columns -= 1
    return rows, columns
