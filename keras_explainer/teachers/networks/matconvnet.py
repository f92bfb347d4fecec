"""Puts the weights of a MatConvNet file into a Keras network of the same layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.networks.image_mean import IMAGENET_MEAN, ImageMean
from keras_explainer.teachers.networks.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_explainer.teachers.networks.mat_file import MatLayer, read_mat

# `lrn` is called `normalize` in files before version 1.0-beta15.
_NORMS = ("lrn", "normalize")


def load_matconvnet(model: keras.Model, path: Path, preprocessing: str) -> None:
    """Loads a .mat file: its convolutions, in order, are the model's.

    Fully connected layers are convolutions there, with filters (h, w, in, out) that
    become the kernel (h w in, out) of a dense layer. Images are RGB there: a model
    that takes BGR has the channels of its first kernel turned round.

    Args:
        model: a network without weights; nothing is changed if an error is raised.
        path: the file.
        preprocessing: the model's mode: 'identity' with an `ImageMean` layer, or
            'caffe'.

    Raises:
        TeacherError: another network: number or shape of layers, strides, poolings,
            normalisations, or a mean that the preprocessing does not take off.
    """
    network = read_mat(path)
    found = [layer for layer in network.layers if layer.weights]
    wanted = [
        layer
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    ]
    if len(found) != len(wanted):
        raise TeacherError(
            f"'{path}' has {len(found)} layers with weights, {model.name} has "
            f"{len(wanted)}: it is another network."
        )
    values = [
        (layer, *_weights(path, mine, layer))
        for layer, mine in zip(wanted, found, strict=True)
    ]
    _check_constants(path, network.layers, model)
    means = [layer for layer in model.layers if isinstance(layer, ImageMean)]
    mean = None
    if means:
        mean = _mean_for(means[0], network.mean)
    else:
        _check_caffe(path, network.mean, preprocessing)
        layer, kernel, bias = values[0]
        values[0] = (layer, kernel[:, :, ::-1], bias)
    for layer, kernel, bias in values:
        layer.set_weights([kernel, bias])
    if mean is not None:
        means[0].set_weights([mean])


def _weights(
    path: Path, mine: MatLayer, layer: keras.Layer
) -> tuple[np.ndarray, np.ndarray]:
    kernel, bias = mine.weights[0], mine.weights[1]
    shape = tuple(layer.kernel.shape)
    if isinstance(layer, keras.layers.Dense):
        kernel = kernel.reshape(-1, kernel.shape[-1])
    if kernel.shape != shape or bias.shape != tuple(layer.bias.shape):
        raise TeacherError(
            f"'{path}' has filters {mine.weights[0].shape} and {bias.size} biases in "
            f"'{mine.name}'; '{layer.name}' takes {shape} and {layer.bias.shape[0]}."
        )
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise TeacherError(f"'{path}' has NaN or infinite weights in '{mine.name}'.")
    return kernel, bias


def _check_constants(
    path: Path, found: tuple[MatLayer, ...], model: keras.Model
) -> None:
    """Strides, pools and normalisations of the file against the model's."""
    pools = [x for x in found if x.kind == "pool"]
    norms = [x for x in found if x.kind in _NORMS]
    convs = [x for x in found if x.weights]
    kinds = {
        "pooling": (pools, keras.layers.MaxPooling2D, _pool),
        "normalisation": (norms, LocalResponseNormalization, _norm),
        "convolution": (
            convs,
            keras.layers.Conv2D | keras.layers.Dense,
            lambda layer: {"stride": tuple(getattr(layer, "strides", (1, 1)))},
        ),
    }
    for what, (given, kind, constants) in kinds.items():
        layers = [layer for layer in model.layers if isinstance(layer, kind)]
        if len(given) != len(layers):
            raise TeacherError(
                f"'{path}' has {len(given)} layers of {what}, {model.name} has "
                f"{len(layers)}: it is another network."
            )
        for theirs, layer in zip(given, layers, strict=True):
            for name, expected in constants(layer).items():
                value = theirs.numbers.get(name)
                if value is None:
                    continue
                if len(value) == 1 and len(expected) == 2:
                    value = (value[0], value[0])
                if not np.allclose(value, expected, rtol=1e-4):
                    raise TeacherError(
                        f"'{path}' has {name} {value} in '{theirs.name}', {model.name} "
                        f"has {expected} in '{layer.name}': it is another network."
                    )


def _pool(layer: Any) -> dict[str, tuple[float, ...]]:
    return {"pool": tuple(layer.pool_size), "stride": tuple(layer.strides)}


def _norm(layer: Any) -> dict[str, tuple[float, ...]]:
    return {"param": (layer.size, layer.kappa, layer.alpha, layer.beta)}


def _mean_for(layer: ImageMean, mean: np.ndarray | None) -> np.ndarray:
    """The file's mean image in the layer's size: its mean colour where that differs."""
    shape = tuple(layer.mean.shape)
    if mean is None:
        mean = np.asarray(IMAGENET_MEAN, "float32").reshape(1, 1, 3)
    if mean.shape != shape:
        mean = mean.mean((0, 1), keepdims=True)
    return np.broadcast_to(mean, shape).astype("float32")


def _check_caffe(path: Path, mean: np.ndarray | None, preprocessing: str) -> None:
    if preprocessing != "caffe":
        raise TeacherError(
            f"'{path}' is for images less their mean: preprocessing 'caffe', not "
            f"'{preprocessing}'."
        )
    if mean is None:
        return
    colour = mean.mean((0, 1))
    if not np.allclose(colour, IMAGENET_MEAN, atol=0.05):
        raise TeacherError(
            f"'{path}' was trained with the mean colour {colour.tolist()}; "
            f"preprocessing 'caffe' takes off {list(IMAGENET_MEAN)}."
        )
