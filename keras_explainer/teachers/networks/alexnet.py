"""AlexNet as Caffe's reference model has it."""

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
from keras_explainer.teachers.networks.grouped_conv_2d import GroupedConv2D
from keras_explainer.teachers.networks.local_response_normalization import (
    LocalResponseNormalization,
)


def AlexNet(
    weights: None = None,
    input_shape: Any = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    alpha: float = 1.0,
    name: str = "alexnet",
) -> keras.Model:
    """AlexNet (Krizhevsky et al. 2012): `bvlc_alexnet`, `imagenet-caffe-alex`.

    Convolutions 2, 4 and 5 in two groups; normalisation before pooling (size 5,
    kappa 1, alpha 2e-5, beta 0.75). The mean image is a layer: images go in as they
    are.

    Args:
        weights: None; files are read by `Teacher.from_applications`.
        input_shape: (H, W, 3), 227 x 227 by default.
        classes: size of the answer.
        classifier_activation: of the answer.
        alpha: width of all layers against the published ones.
        name: of the model.
    """
    layers = keras.layers
    image, x = image_input(weights, input_shape, (227, 227, 3))
    first = {"kernel_initializer": first_kernel(), "strides": 4}
    x = layers.Conv2D(**conv(96, 11, alpha, **first, name="conv1"))(x)
    x = LocalResponseNormalization(5, 1.0, 2e-5, 0.75, name="norm1")(x)
    x = CeilMaxPooling2D(3, 2, name="pool1")(x)
    two = {"groups": 2, "padding": "same"}
    x = GroupedConv2D(**conv(256, 5, alpha, **two, name="conv2"))(x)
    x = LocalResponseNormalization(5, 1.0, 2e-5, 0.75, name="norm2")(x)
    x = CeilMaxPooling2D(3, 2, name="pool2")(x)
    x = layers.Conv2D(**conv(384, 3, alpha, padding="same", name="conv3"))(x)
    x = GroupedConv2D(**conv(384, 3, alpha, **two, name="conv4"))(x)
    x = GroupedConv2D(**conv(256, 3, alpha, **two, name="conv5"))(x)
    x = CeilMaxPooling2D(3, 2, name="pool5")(x)
    x = classifier(x, classes, classifier_activation, alpha)
    return keras.Model(image, x, name=name)
