"""What AlexNet, VGG-M and VGG-S share: their first and their last layers."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.errors import ConfigError
from keras_explainer.teachers.networks.image_mean import ImageMean


def image_input(weights: Any, shape: Any, default: tuple[int, int, int]) -> Any:
    """The input (RGB 0..255) and the centred image.

    Raises:
        ConfigError: weights are asked for, which a file must bring; not three channels.
    """
    if weights is not None:
        raise ConfigError(
            f"These networks bring no weights (got {weights!r}): give the path of a "
            ".mat, .weights.h5 or .h5 file to Teacher.from_applications(weights=...)."
        )
    shape = tuple(shape or default)
    if len(shape) != 3 or shape[2] != 3:
        raise ConfigError(f"input_shape is (height, width, 3), got {shape}.")
    image = keras.Input(shape, name="image")
    return image, ImageMean(name="mean")(image)


def conv(filters: int, size: int, alpha: float, **arguments: Any) -> dict[str, Any]:
    """Arguments of a convolution with ReLU; `alpha` scales its width."""
    return {
        "filters": width(filters, alpha),
        "kernel_size": size,
        "activation": "relu",
        "kernel_initializer": "he_normal",
        "data_format": "channels_last",
        **arguments,
    }


def first_kernel() -> Any:
    """Start of the first kernel, which takes values of 0..255, as in Caffe's networks.

    As `he_normal`, it would begin with logits and losses of some hundreds.
    """
    return keras.initializers.RandomNormal(stddev=0.01)


def width(channels: int, alpha: float) -> int:
    """Channels at a width, an even number (for groups of two)."""
    return max(2, 2 * round(channels * alpha / 2))


def classifier(x: Any, classes: int, activation: Any, alpha: float) -> Any:
    """fc6, fc7 (ReLU, dropout of one half in training) and the answer."""
    x = keras.layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = keras.layers.Dense(
            width(4096, alpha),
            activation="relu",
            kernel_initializer="he_normal",
            name=name,
        )(x)
        x = keras.layers.Dropout(0.5, name=f"dropout{name[-1]}")(x)
    return keras.layers.Dense(classes, activation=activation, name="fc8")(x)
