"""The networks of `archetypes`, one function each; untrained, as Keras starts them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
from keras import layers


def plain(shape=(32, 32, 3)) -> keras.Model:
    """Convolutions with a built-in ReLU, no normalisation."""
    x = image = keras.Input(shape)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.Conv2D(12, 3, strides=2, padding="same", name="conv3")(x)
    x = layers.ReLU(name="relu3")(x)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv4")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(7, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="plain")


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((32, 40, 3)),
            layers.Rescaling(1 / 255.0, name="rescale"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="conv1"),
            layers.BatchNormalization(name="bn1"),
            layers.ReLU(name="relu1"),
            layers.AveragePooling2D(2, name="pool1"),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="conv2"),
            layers.Conv2D(12, 3, strides=2, activation="relu", name="conv3"),
            layers.GlobalMaxPooling2D(name="gmp"),
            layers.Dropout(0.5, name="drop"),
            layers.Dense(5, name="predictions"),
        ],
        name="sequential",
    )


def _block(x, filters: int, name: str, stride: int = 1):
    short = x
    if stride > 1 or x.shape[-1] != filters:
        short = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        short = layers.BatchNormalization(name=f"{name}_0_bn")(short)
    x = layers.Conv2D(filters, 3, stride, padding="same", name=f"{name}_1_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_1_bn")(x)
    x = layers.Activation("relu", name=f"{name}_1_relu")(x)
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = layers.BatchNormalization(name=f"{name}_2_bn")(x)
    x = layers.Add(name=f"{name}_add")([short, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def residual() -> keras.Model:
    x = image = keras.Input((48, 40, 3))
    x = layers.ZeroPadding2D(1, name="pad")(x)
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="stem")(x)
    x = _block(x, 8, "block1")
    x = _block(x, 12, "block2", stride=2)
    x = _block(x, 16, "block3", stride=2)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="residual")


def inception() -> keras.Model:
    x = image = keras.Input((33, 41, 3))
    x = layers.Conv2D(8, 3, strides=2, activation="relu", name="stem")(x)
    for k in (1, 2):
        a = layers.Conv2D(4, 1, activation="relu", name=f"mix{k}_a")(x)
        b = layers.Conv2D(4, 1, activation="relu", name=f"mix{k}_b1")(x)
        b = layers.Conv2D(6, (1, 5), padding="same", name=f"mix{k}_b2")(b)
        b = layers.BatchNormalization(name=f"mix{k}_b2_bn")(b)
        b = layers.Activation("relu", name=f"mix{k}_b2_act")(b)
        c = layers.AveragePooling2D(3, 1, padding="same", name=f"mix{k}_c1")(x)
        c = layers.Conv2D(4, 1, activation="relu", name=f"mix{k}_c2")(c)
        x = layers.Concatenate(name=f"mixed{k}")([a, b, c])
    a = layers.Conv2D(8, 3, strides=2, activation="relu", name="red_a")(x)
    b = layers.MaxPooling2D(3, 2, name="red_b")(x)
    x = layers.Concatenate(name="mixed3")([a, b])
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="inception")


def depthwise() -> keras.Model:
    """As MobileNet: ReLU6, padding by layers, logits by a convolution and a reshape."""
    x = image = keras.Input((48, 48, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", use_bias=False, name="conv1")(x)
    x = layers.BatchNormalization(name="conv1_bn")(x)
    x = layers.ReLU(6.0, name="conv1_relu")(x)
    for k, (filters, stride) in enumerate([(12, 1), (16, 2), (16, 1), (20, 2)], 1):
        if stride == 2:
            x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"pad_{k}")(x)
        x = layers.DepthwiseConv2D(
            3, stride, padding="same" if stride == 1 else "valid", name=f"dw_{k}"
        )(x)
        x = layers.BatchNormalization(name=f"dw_{k}_bn")(x)
        x = layers.ReLU(6.0, name=f"dw_{k}_relu")(x)
        x = layers.Conv2D(filters, 1, use_bias=False, name=f"pw_{k}")(x)
        x = layers.BatchNormalization(name=f"pw_{k}_bn")(x)
        x = layers.ReLU(6.0, name=f"pw_{k}_relu")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="gap")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    x = layers.Conv2D(9, 1, name="conv_preds")(x)
    x = layers.Reshape((9,), name="reshape")(x)
    x = layers.Activation("softmax", name="predictions")(x)
    return keras.Model(image, x, name="depthwise")


def dense_concat() -> keras.Model:
    """As DenseNet: every layer reads all before it, normalisation comes first."""
    x = image = keras.Input((40, 32, 3))
    x = layers.Conv2D(8, 5, 2, padding="same", name="stem")(x)
    for stage in (1, 2):
        for k in (1, 2, 3):
            name = f"s{stage}_l{k}"
            y = layers.BatchNormalization(name=f"{name}_bn")(x)
            y = layers.Activation("relu", name=f"{name}_relu")(y)
            y = layers.SeparableConv2D(4, 3, padding="same", name=f"{name}_conv")(y)
            x = layers.Concatenate(name=f"{name}_concat")([x, y])
        if stage == 1:
            x = layers.BatchNormalization(name="trans_bn")(x)
            x = layers.Activation("relu", name="trans_relu")(x)
            x = layers.Conv2D(10, 1, name="trans_conv")(x)
            x = layers.AveragePooling2D(2, name="trans_pool")(x)
    x = layers.BatchNormalization(name="last_bn")(x)
    x = layers.Activation("relu", name="last_relu")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(5, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="dense_concat")


def nested() -> keras.Model:
    """A functional backbone inside a functional classifier."""
    x = image = keras.Input((48, 40, 3), name="backbone_image")
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="conv1")(x)
    x = _block(x, 12, "block1", stride=2)
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="conv2")(x)
    backbone = keras.Model(image, x, name="backbone")
    image = keras.Input((48, 40, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, name="rescale")(image)
    x = backbone(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(6, name="dense")(x)
    x = layers.Softmax(name="predictions")(x)
    return keras.Model(image, x, name="nested")


@keras.saving.register_keras_serializable(package="archetypes")
class ChannelScale(layers.Layer):
    """A layer of the user's: one factor for each channel."""

    def build(self, shape) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), name="gamma")

    def call(self, inputs):
        return inputs * self.gamma


def nested_sequential() -> keras.Model:
    """As ConvNeXt: Sequential stems, layer norm, dense layers on maps, `x + y`."""
    x = image = keras.Input((48, 40, 3))
    for k, filters in enumerate((8, 12, 16)):
        size = 4 if k == 0 else 2
        x = keras.Sequential(
            [
                layers.LayerNormalization(epsilon=1e-6, name=f"norm{k}"),
                layers.Conv2D(filters, size, size, name=f"down{k}"),
            ],
            name=f"stem{k}",
        )(x)
        y = layers.DepthwiseConv2D(5, padding="same", name=f"block{k}_dw")(x)
        y = layers.LayerNormalization(epsilon=1e-6, name=f"block{k}_norm")(y)
        y = layers.Dense(2 * filters, activation="gelu", name=f"block{k}_wide")(y)
        y = layers.Dense(filters, name=f"block{k}_narrow")(y)
        y = ChannelScale(name=f"block{k}_scale")(y)
        x = layers.Activation("linear", name=f"block{k}_out")(x + y)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="head_norm")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="nested_sequential")


def grey() -> keras.Model:
    model = plain((36, 28, 1))
    model.name = "grey"
    return model


def five_channels() -> keras.Model:
    model = plain((28, 36, 5))
    model.name = "five_channels"
    return model


def fully_connected() -> keras.Model:
    """As VGG: two hidden fully connected layers, one with its ReLU beside it."""
    x = image = keras.Input((32, 40, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(2, name="pool1")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(2, name="pool2")(x)
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv3")(x)
    x = layers.MaxPooling2D(2, name="pool3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(20, activation="relu", name="fc1")(x)
    x = layers.Dense(16, name="fc2")(x)
    x = layers.ReLU(name="fc2_relu")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="fully_connected")


def squeeze_excite() -> keras.Model:
    """As EfficientNet: gates by a pooled branch; ends in a sigmoid, many labels."""
    x = image = keras.Input((40, 40, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", activation="silu", name="stem")(x)
    for k, stride in ((1, 1), (2, 2), (3, 2)):
        name = f"block{k}"
        y = layers.Conv2D(16, 1, activation="silu", name=f"{name}_expand")(x)
        y = layers.DepthwiseConv2D(3, stride, padding="same", name=f"{name}_dw")(y)
        y = layers.BatchNormalization(name=f"{name}_bn")(y)
        y = layers.Activation("silu", name=f"{name}_act")(y)
        s = layers.GlobalAveragePooling2D(name=f"{name}_squeeze")(y)
        s = layers.Reshape((1, 1, 16), name=f"{name}_se_reshape")(s)
        s = layers.Conv2D(4, 1, activation="silu", name=f"{name}_se_reduce")(s)
        s = layers.Conv2D(16, 1, activation="sigmoid", name=f"{name}_se_expand")(s)
        y = layers.Multiply(name=f"{name}_excite")([y, s])
        y = layers.Conv2D(8, 1, name=f"{name}_project")(y)
        x = layers.Add(name=f"{name}_add")([x, y]) if stride == 1 else y
    x = layers.Conv2D(16, 1, activation="silu", name="top")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(6, activation="sigmoid", name="predictions")(x)
    return keras.Model(image, x, name="squeeze_excite")


def shared() -> keras.Model:
    """A layer that is called twice above the tap, and a nested model called twice."""
    x = image = keras.Input((24, 32, 3))
    x = layers.Conv2D(8, 3, padding="same", name="inner_conv")(x)
    x = layers.Conv2D(3, 1, activation="tanh", name="inner_last")(x)
    twice = keras.Model(image, x, name="twice")
    image = keras.Input((24, 32, 3))
    x = twice(twice(image))
    x = layers.Conv2D(10, 3, 2, padding="same", activation="relu", name="conv1")(x)
    both = layers.Conv2D(10, 3, padding="same", activation="relu", name="both")
    x = layers.Add(name="sum")([both(x), both(both(x))])
    x = layers.Conv2D(10, 3, 2, padding="same", activation="relu", name="conv2")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(6, activation="softmax", name="predictions")(x)
    return keras.Model(image, x, name="shared")


def operations() -> keras.Model:
    """Operations of `keras.ops` between the layers, with constants and keywords."""
    ops = keras.ops
    x = image = keras.Input((32, 24, 3))
    x = (x - 100.0) / 50.0
    x = layers.Conv2D(8, 3, 2, padding="same", name="conv1")(x)
    x = ops.relu(x)
    x = layers.Conv2D(12, 3, padding="same", name="conv2")(x)
    x = ops.maximum(x, 0.1 * x) + np.linspace(0.0, 1.0, 12).astype("float32")
    y = layers.Conv2D(12, 3, 2, padding="same", name="conv3")(x)
    y = ops.concatenate([ops.relu(y), ops.relu(-y)], axis=-1)
    x = layers.Activation("relu", name="last")(y[..., 2:])
    x = ops.mean(x, axis=(1, 2))
    x = layers.Dense(5, name="dense")(x)
    x = ops.softmax(x, axis=-1)
    return keras.Model(image, x, name="operations")


def two_answers() -> keras.Model:
    x = image = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="conv1")(x)
    x = layers.Conv2D(12, 3, 2, padding="same", activation="relu", name="conv2")(x)
    x = layers.Conv2D(12, 3, padding="same", activation="relu", name="conv3")(x)
    gap = layers.GlobalAveragePooling2D(name="gap")(x)
    kind = layers.Dense(6, activation="softmax", name="kind")(gap)
    where = layers.Dense(4, name="where")(layers.Flatten(name="flatten")(x))
    return keras.Model(image, {"kind": kind, "where": where}, name="two_answers")


def mixed_precision() -> keras.Model:
    dtype = keras.DTypePolicy("mixed_bfloat16")
    x = image = keras.Input((32, 40, 3))
    x = layers.Conv2D(8, 3, 2, padding="same", name="conv1", dtype=dtype)(x)
    x = layers.BatchNormalization(name="bn1", dtype=dtype)(x)
    x = layers.ReLU(name="relu1", dtype=dtype)(x)
    x = layers.Conv2D(
        12, 3, 2, padding="same", activation="relu", name="conv2", dtype=dtype
    )(x)
    x = layers.GlobalAveragePooling2D(name="gap", dtype=dtype)(x)
    x = layers.Dense(6, name="dense", dtype=dtype)(x)
    x = layers.Activation("softmax", dtype="float32", name="predictions")(x)
    return keras.Model(image, x, name="mixed_precision")


def headless() -> keras.Model:
    model = residual()
    return keras.Model(model.inputs, model.get_layer("block3_out").output, name="bare")


def reloaded() -> keras.Model:
    """A nested model with the user's own layer, saved and loaded again."""
    model = nested_sequential()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        model = keras.saving.load_model(path)
    model.name = "reloaded"
    return model
