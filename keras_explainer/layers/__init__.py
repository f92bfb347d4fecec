"""Keras layers of the explainer: pure layers in `keras.ops`."""

from keras_explainer.layers.channel_norm import ChannelNorm
from keras_explainer.layers.grouped_part_conv2d import GroupedPartConv2D
from keras_explainer.layers.interpretable_conv2d import InterpretableConv2D
from keras_explainer.layers.part_mask import PartMask
from keras_explainer.layers.split_dense import SplitDense
from keras_explainer.layers.track_gate import TrackGate

__all__ = [
    "ChannelNorm",
    "GroupedPartConv2D",
    "InterpretableConv2D",
    "PartMask",
    "SplitDense",
    "TrackGate",
]
