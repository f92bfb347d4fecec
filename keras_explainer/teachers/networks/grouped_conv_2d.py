"""Convolution in groups of channels, with a gradient on every device."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.registration import registered


@registered
class GroupedConv2D(keras.layers.Conv2D):
    """As `keras.layers.Conv2D(groups=...)`, one convolution for each group.

    The same weights and the same result; TensorFlow's grouped convolution has no
    gradient on a CPU.
    """

    def call(self, inputs: Any) -> Any:
        outputs = ops.concatenate(
            [
                ops.conv(
                    part,
                    kernel,
                    strides=list(self.strides),
                    padding=self.padding,
                    dilation_rate=self.dilation_rate,
                    data_format="channels_last",
                )
                for part, kernel in zip(
                    ops.split(inputs, self.groups, axis=-1),
                    ops.split(self.kernel, self.groups, axis=-1),
                    strict=True,
                )
            ],
            axis=-1,
        )
        if self.use_bias:
            outputs = outputs + ops.reshape(self.bias, (1, 1, 1, self.filters))
        return outputs if self.activation is None else self.activation(outputs)
