"""Random weights under which a deep network still tells images apart."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np

from keras_explainer.teachers import Teacher
from keras_explainer.teachers.graph_step import call_step

FLOOR = 0.1
"""Least variance of a channel, as a share of its layer's mean."""


def randomize(teacher: Teacher, images: np.ndarray, seed: int) -> None:
    """Gives a fresh network weights with which every layer counts.

    As Keras builds them, networks without trained statistics answer the same to all
    images (MobileNet's features vanish), and some layers are all but switched off
    (ConvNeXt scales each block by 1e-6): a wrong cut would not show. Vectors (scales,
    biases) become random, and batch normalisation gets the statistics of `images`; a
    channel that hardly varies there is not blown up, and its rounding errors with it.

    Args:
        teacher: of the network; its kernels stay as they are.
        images: (n, H, W, C), RGB 0..255, some, all different.
        seed: of the vectors.
    """
    model, graph = teacher.model, teacher.graph
    random = np.random.default_rng(seed)
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    for variable in model.trainable_weights:
        if len(variable.shape) == 1:
            shape = variable.shape
            scale = variable.name in ("gamma", "scale")
            value = (
                random.uniform(0.5, 1.5, shape)
                if scale
                else random.normal(0, 0.1, shape)
            )
            variable.assign(value.astype("float32"))
    momenta = [layer.momentum for layer in norms]
    try:
        for layer in norms:
            layer.momentum = 0.0
        if norms:
            # Step by step: of a large network a call holds gigabytes of features.
            pixels = keras.ops.convert_to_tensor(teacher.preprocess(images))
            learning = partial(call_step, training=True)
            graph.run({graph.input: pixels}, graph.outputs, learning)
        for layer in norms:
            variance = keras.ops.convert_to_numpy(layer.moving_variance)
            layer.moving_variance.assign(np.maximum(variance, FLOOR * variance.mean()))
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
