"""VGG-S: the slow network of Chatfield et al. 2014."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.teachers.networks.ceil_max_pooling_2d import CeilMaxPooling2D
from keras_explainer.teachers.networks.classifier import (
    classifier,
    conv,
    first_kernel,
    image_input,
)
from keras_explainer.teachers.networks.local_response_normalization import (
    LocalResponseNormalization,
)


def VGGS(
    weights: None = None,
    input_shape: Any = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    alpha: float = 1.0,
    name: str = "vgg_s",
) -> keras.Model:
    """VGG-S (arXiv 1405.3531, table 1, CNN-S): `imagenet-vgg-s`.

    One normalisation (size 5, kappa 2, alpha 1e-4, beta 0.75); poolings of stride 3, 2
    and 3 that count cells as Caffe does: conv5 has stride 12.

    Args:
        weights, classes, classifier_activation, alpha, name: as for `AlexNet`.
        input_shape: (H, W, 3), 224 x 224 by default.
    """
    layers = keras.layers
    image, x = image_input(weights, input_shape, (224, 224, 3))
    first = {"kernel_initializer": first_kernel(), "strides": 2}
    x = layers.Conv2D(**conv(96, 7, alpha, **first, name="conv1"))(x)
    x = LocalResponseNormalization(5, 2.0, 1e-4, 0.75, name="norm1")(x)
    x = CeilMaxPooling2D(3, 3, name="pool1")(x)
    x = layers.Conv2D(**conv(256, 5, alpha, name="conv2"))(x)
    x = CeilMaxPooling2D(2, 2, name="pool2")(x)
    for number in (3, 4, 5):
        same = conv(512, 3, alpha, padding="same", name=f"conv{number}")
        x = layers.Conv2D(**same)(x)
    x = CeilMaxPooling2D(3, 3, name="pool5")(x)
    x = classifier(x, classes, classifier_activation, alpha)
    return keras.Model(image, x, name=name)
