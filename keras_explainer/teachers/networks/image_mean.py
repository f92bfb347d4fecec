"""Caffe's preprocessing as a layer: the training images' mean is taken off."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.registration import registered

# RGB, 0..255, of ImageNet's training images.
IMAGENET_MEAN = (123.68, 116.779, 103.939)


@registered
class ImageMean(keras.layers.Layer):
    """Subtracts a mean image, (H, W, 3), that is part of the weights.

    It starts as ImageNet's mean colour; a weights file brings its own. Images stay in
    the order RGB, as MatConvNet has them.

    Input and output: `(N, H, W, 3)`, RGB 0..255 in.
    """

    # The teacher refuses images that are not in 0..255.
    expects_255 = True

    def build(self, input_shape: Any) -> None:
        self.mean = self.add_weight(
            shape=tuple(input_shape[1:]),
            initializer=_start,
            trainable=False,
            name="mean",
        )

    def call(self, inputs: Any) -> Any:
        return inputs - self.mean

    def compute_output_shape(self, input_shape: Any) -> Any:
        return tuple(input_shape)


def _start(shape: Any, dtype: Any = None) -> Any:
    mean = keras.ops.convert_to_tensor(IMAGENET_MEAN, dtype=dtype)
    return keras.ops.broadcast_to(mean, shape)
