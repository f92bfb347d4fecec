"""Explainers of known networks, to be exported: costs do not depend on weights."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_explainer as kx
from keras_explainer.export.sample_images import SampleImages

NETWORKS = (
    "MobileNet",
    "ResNet50",
    "VGG16",
    "EfficientNetB0",
    "ConvNeXtTiny",
    "nested",
)


def photographs(teacher: kx.Teacher, count: int) -> SampleImages:
    """Photographs of the folder KERAS_EXPLAINER_SHARED names; drawn ones without it."""
    folder = os.environ.get("KERAS_EXPLAINER_SHARED")
    images = Path(folder) / "animalparts" / "images" if folder else None
    return SampleImages.of(teacher, images, count)


def teacher(name: str) -> kx.Teacher:
    """MobileNet 0.75 has ImageNet weights where they are, all others random ones."""
    folder = os.environ.get("KERAS_EXPLAINER_SHARED")
    if name == "MobileNet" and folder:
        model = keras.applications.MobileNet(alpha=0.75, weights=None)
        model.load_weights(
            Path(folder) / "animalparts" / "mobilenet_075_224.weights.h5"
        )
        return kx.Teacher(model, "conv_pw_11_relu", preprocessing="tf", labels=labels())
    if name == "nested":
        return _random(_nested())
    return _random(kx.zoo.teacher(name, weights=None, labels=labels()))


def labels() -> list[str]:
    """Of ImageNet's 1000 classes, numbers."""
    return [f"class {at}" for at in range(1000)]


def _nested() -> kx.Teacher:
    """A user's model: a backbone as a layer, with a head of its own."""
    backbone = keras.applications.MobileNetV2(
        input_shape=(160, 160, 3), alpha=0.5, include_top=False, weights=None
    )
    image = keras.Input((160, 160, 3))
    x = keras.layers.GlobalAveragePooling2D()(backbone(image))
    model = keras.Model(image, keras.layers.Dense(20, activation="softmax")(x))
    return kx.Teacher(
        model, preprocessing="tf", labels=[f"kind {at}" for at in range(20)]
    )


def _random(made: kx.Teacher) -> kx.Teacher:
    """Weights under which all layers count, and a softmax that is not saturated."""
    from keras_explainer.zoo.random_weights import randomize
    from keras_explainer.zoo.verification_stages import smooth_images, soften

    images = smooth_images(4, made.input_shape, 0)
    randomize(made, images, 0)
    soften(made, images)
    return made


def explainer(name: str) -> tuple[kx.Explainer, SampleImages]:
    """An explainer that has seen some images but not learned, and images."""
    keras.utils.set_random_seed(0)
    made = teacher(name)
    images = photographs(made, 64)
    found = kx.Explainer(made)
    found.statistics.started.assign(1.0)
    found.measure_tracks(images.pixels[:16])
    return found, images


def gflops(function: Any, shape: tuple[int, int, int]) -> float:
    """Floating point operations for one image, as TensorFlow's profiler counts them.

    Args:
        function: Of images, without functions of TensorFlow inside, which are not
            counted.
        shape: (H, W, C) of an image.
    """
    import tensorflow as tf

    spec = tf.TensorSpec((1, *shape), "float32")
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    found = tf.compat.v1.profiler.profile(graph, options=options)
    return float(np.round(found.total_float_ops / 1e9, 3))
