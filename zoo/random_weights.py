"""Random weights under which a deep network still tells images apart."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

FLOOR = 0.1
"""Least variance of a channel, as a share of its layer's mean."""


def randomize(model: keras.Model, inputs: Any, seed: int) -> None:
    """Gives a fresh model weights with which every layer counts.

    As Keras builds them, networks without trained statistics answer the same to all
    images (MobileNet's features vanish), and some layers are all but switched off
    (ConvNeXt scales each block by 1e-6): a wrong cut would not show. Vectors (scales,
    biases) become random, and batch normalisation gets the statistics of `inputs`; a
    channel that hardly varies there is not blown up, and its rounding errors with it.

    Args:
        model: a built model; its kernels stay as they are.
        inputs: preprocessed images, some, all different.
        seed: of the vectors.
    """
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
            model(inputs, training=True)
        for layer in norms:
            variance = keras.ops.convert_to_numpy(layer.moving_variance)
            layer.moving_variance.assign(np.maximum(variance, FLOOR * variance.mean()))
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
