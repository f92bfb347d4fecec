"""Small teachers of all kinds, for conformance tests.

`build(name, seed)` gives an untrained model whose weights are the same on every
backend; `ARCHETYPES` lists the names; `TAP`, `TARGETS` and `PREPROCESSING` hold a good
cut of each. Maps have odd and non-square sizes. The networks are in
`archetype_networks`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import archetype_networks as networks
import keras
import numpy as np
from compilation import zero_initializers

_KINDS: dict[str, tuple[Callable[[], keras.Model], str, list[str], str]] = {
    "plain": (networks.plain, "conv2", ["conv4"], "tf"),
    "sequential": (networks.sequential, "relu1", ["conv2", "conv3"], "identity"),
    "residual": (networks.residual, "block2_out", ["block3_out"], "caffe"),
    "inception": (networks.inception, "mixed2", ["mixed3", "gap"], "torch"),
    "depthwise": (networks.depthwise, "pw_3_relu", ["pw_4_relu"], "tf"),
    "dense_concat": (
        networks.dense_concat,
        "trans_relu",
        ["trans_pool", "last_relu"],
        "unit",
    ),
    "nested": (networks.nested, "backbone/block1_out", ["backbone/conv2"], "identity"),
    "nested_sequential": (
        networks.nested_sequential,
        "block1_out",
        ["stem2/down2", "block2_out"],
        "unit",
    ),
    "grey": (networks.grey, "conv2", ["conv4"], "unit"),
    "five_channels": (networks.five_channels, "conv2", ["relu3", "conv4"], "unit"),
    "fully_connected": (
        networks.fully_connected,
        "conv3",
        ["fc1", "fc2_relu"],
        "caffe",
    ),
    "squeeze_excite": (networks.squeeze_excite, "block1_add", ["top", "gap"], "tf"),
    "shared": (networks.shared, "conv1", ["sum", "conv2"], "tf"),
    "operations": (networks.operations, "conv2", ["last"], "identity"),
    "two_answers": (networks.two_answers, "conv2", ["conv3"], "unit"),
    "mixed_precision": (networks.mixed_precision, "relu1", ["conv2"], "unit"),
    "headless": (networks.headless, "block2_out", ["block3_out"], "caffe"),
    "reloaded": (
        networks.reloaded,
        "block1_out",
        ["stem2/down2", "block2_out"],
        "unit",
    ),
}
ARCHETYPES = list(_KINDS)
TAP = {name: kind[1] for name, kind in _KINDS.items()}
TARGETS = {name: kind[2] for name, kind in _KINDS.items()}
PREPROCESSING = {name: kind[3] for name, kind in _KINDS.items()}


def build(name: str, seed: int = 0) -> keras.Model:
    """An untrained model of the archetype `name`; its activations are of unit size."""
    with zero_initializers():
        model = _KINDS[name][0]()
    random = np.random.default_rng(seed)
    wide = PREPROCESSING[name] == "caffe"
    for weight in model.weights:
        shape = tuple(weight.shape)
        noise = random.normal(size=shape)
        if len(shape) > 1:
            depthwise = len(shape) == 4 and shape[-1] == 1
            inputs = np.prod(shape[:2] if depthwise else shape[:-1])
            value = noise * np.sqrt(2.0 / inputs)
            if wide:
                # The first kernel takes values of some hundreds to unit size.
                value, wide = value / 64.0, False
        elif weight.name in ("gamma", "moving_variance"):
            value = 1.0 + 0.3 * np.abs(noise)
        else:
            value = 0.2 * noise
        weight.assign(value.astype("float32"))
    return model


def images(name: str, count: int, seed: int = 0) -> np.ndarray:
    """Random smooth images for the archetype's teacher, uint8."""
    height, width, channels = _input_shape(name)
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 5, 5, channels))
    rows = np.linspace(0, 4.99, height).astype(int)
    cols = np.linspace(0, 4.99, width).astype(int)
    fine = coarse[:, rows][:, :, cols] + random.normal(0, 12, (1, height, width, 1))
    return np.clip(fine, 0, 255).astype("uint8")


@cache
def _input_shape(name: str) -> tuple[int, int, int]:
    return build(name).input_shape[1:]
