"""Writes networks as MatConvNet's .mat files have them, and computes them by NumPy.

A network is a list of layers in MatConvNet's terms: filters (h, w, in, out), `pad`
(top, bottom, left, right), normalisation `param` [N kappa alpha beta]. `forward` is
written from MatConvNet's manual, in float64, and shares nothing with the package.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from scipy.signal import correlate

Layers = list[dict[str, Any]]


def conv(name: str, shape, stride=1, pad=(0, 0, 0, 0), *, gain=1.0, seed=0) -> dict:
    """A convolution; `in` is that of a group."""
    random = np.random.default_rng([seed, *shape])
    scale = gain * np.sqrt(2 / np.prod(shape[:3]))
    return {
        "type": "conv",
        "name": name,
        "weights": (
            (scale * random.normal(size=shape)).astype("float32"),
            random.normal(0, 0.1, shape[3]).astype("float32"),
        ),
        "stride": stride,
        "pad": pad,
    }


def relu(name: str) -> dict:
    return {"type": "relu", "name": name}


def norm(name: str, *param: float) -> dict:
    return {"type": "lrn", "name": name, "param": param}


def pool(name: str, side: int, stride: int, pad=(0, 0, 0, 0)) -> dict:
    return {"type": "pool", "name": name, "pool": side, "stride": stride, "pad": pad}


def write(
    path: Path, layers: Layers, mean: Any, *, old: bool = False, packed: bool = True
) -> None:
    """Writes a network: its layers as structs in a cell array, its mean image.

    Args:
        packed: compressed.
        old: with `filters` and `biases`, `normalization` at the top, as before 1.0.
    """
    cells = np.empty((1, len(layers)), object)
    for number, layer in enumerate(layers):
        struct: dict[str, Any] = {"type": layer["type"], "name": layer["name"]}
        for key in ("stride", "pad", "pool", "param"):
            if key in layer:
                value = np.atleast_1d(np.asarray(layer[key], "float64"))
                if key in ("stride", "pool") and value.size == 1:
                    value = np.repeat(value, 2)
                struct[key] = value[None]
        if "weights" in layer:
            kernel, bias = layer["weights"]
            if old:
                struct |= {"filters": kernel, "biases": bias[None]}
            else:
                both = np.empty((1, 2), object)
                both[0, 0], both[0, 1] = kernel, bias[None]
                struct["weights"] = both
        cells[0, number] = struct
    content: dict[str, Any] = {"layers": cells}
    if mean is not None:
        normalization = {"averageImage": np.asarray(mean, "float32")}
        if old:
            content["normalization"] = normalization
        else:
            content["meta"] = {"normalization": normalization}
    savemat(path, content, do_compression=packed)


def forward(layers: Layers, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every layer's output (h, w, c) on one centred image (h, w, 3), float64."""
    x = image.astype("float64")
    found = {}
    for layer in layers:
        x = _KINDS[layer["type"]](x, layer)
        found[layer["name"]] = x
    return found


def _conv(x: np.ndarray, layer: dict) -> np.ndarray:
    kernel, bias = (array.astype("float64") for array in layer["weights"])
    top, bottom, left, right = layer["pad"]
    x = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    inside, outside = kernel.shape[2:]
    groups = x.shape[2] // inside
    maps = []
    for k in range(outside):
        group = k // (outside // groups)
        part = x[:, :, group * inside : (group + 1) * inside]
        full = correlate(part, kernel[..., k], mode="valid", method="direct")[..., 0]
        maps.append(full[:: layer["stride"], :: layer["stride"]] + bias[k])
    return np.stack(maps, -1)


def _relu(x: np.ndarray, layer: dict) -> np.ndarray:
    return np.where(x > 0, x, 0.0)


def _norm(x: np.ndarray, layer: dict) -> np.ndarray:
    size, kappa, alpha, beta = layer["param"]
    y = np.empty_like(x)
    for k in range(x.shape[2]):
        low = max(0, k - int(size - 1) // 2)
        high = min(x.shape[2], k + int(np.ceil((size - 1) / 2)) + 1)
        total = (x[:, :, low:high] ** 2).sum(-1)
        y[:, :, k] = x[:, :, k] * (kappa + alpha * total) ** -beta
    return y


def _pool(x: np.ndarray, layer: dict) -> np.ndarray:
    top, bottom, left, right = layer["pad"]
    side, stride = layer["pool"], layer["stride"]
    wide = ((top, bottom), (left, right), (0, 0))
    x = np.pad(x, wide, constant_values=-np.inf)
    rows = (x.shape[0] - side) // stride + 1
    columns = (x.shape[1] - side) // stride + 1
    y = np.empty((rows, columns, x.shape[2]))
    for r in range(rows):
        for c in range(columns):
            window = x[r * stride :, c * stride :][:side, :side]
            y[r, c] = window.max((0, 1))
    return y


def _softmax(x: np.ndarray, layer: dict) -> np.ndarray:
    shifted = np.exp(x - x.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


_KINDS = {
    "conv": _conv,
    "relu": _relu,
    "lrn": _norm,
    "pool": _pool,
    "softmax": _softmax,
}


def alexnet(width: int, classes: int) -> Layers:
    """The layers of `imagenet-caffe-alex`, `width` channels in the first."""
    w = {k: max(2, 2 * round(k * width / 96 / 2)) for k in (96, 256, 384, 4096)}
    lrn, two = (5, 1, 2e-5, 0.75), (2, 2, 2, 2)
    one = (1, 1, 1, 1)
    return [
        conv("conv1", (11, 11, 3, w[96]), 4, gain=0.1),
        relu("relu1"),
        norm("norm1", *lrn),
        pool("pool1", 3, 2),
        conv("conv2", (5, 5, w[96] // 2, w[256]), pad=two),
        relu("relu2"),
        norm("norm2", *lrn),
        pool("pool2", 3, 2),
        conv("conv3", (3, 3, w[256], w[384]), pad=one),
        relu("relu3"),
        conv("conv4", (3, 3, w[384] // 2, w[384]), pad=one),
        relu("relu4"),
        conv("conv5", (3, 3, w[384] // 2, w[256]), pad=one),
        relu("relu5"),
        pool("pool5", 3, 2),
        *_classifier(w[256], w[4096], classes),
    ]


def vgg_m(width: int, classes: int) -> Layers:
    """The layers of `imagenet-vgg-m`."""
    w = {k: max(2, 2 * round(k * width / 96 / 2)) for k in (96, 256, 512, 4096)}
    lrn, one = (5, 2, 1e-4, 0.75), (1, 1, 1, 1)
    return [
        conv("conv1", (7, 7, 3, w[96]), 2, gain=0.1),
        relu("relu1"),
        norm("norm1", *lrn),
        pool("pool1", 3, 2),
        conv("conv2", (5, 5, w[96], w[256]), 2, one),
        relu("relu2"),
        norm("norm2", *lrn),
        pool("pool2", 3, 2, (0, 1, 0, 1)),
        *_three(w[256], w[512]),
        pool("pool5", 3, 2),
        *_classifier(w[512], w[4096], classes),
    ]


def vgg_s(width: int, classes: int) -> Layers:
    """The layers of `imagenet-vgg-s`."""
    w = {k: max(2, 2 * round(k * width / 96 / 2)) for k in (96, 256, 512, 4096)}
    return [
        conv("conv1", (7, 7, 3, w[96]), 2, gain=0.1),
        relu("relu1"),
        norm("norm1", 5, 2, 1e-4, 0.75),
        pool("pool1", 3, 3, (0, 2, 0, 2)),
        conv("conv2", (5, 5, w[96], w[256])),
        relu("relu2"),
        pool("pool2", 2, 2, (0, 1, 0, 1)),
        *_three(w[256], w[512]),
        pool("pool5", 3, 3, (0, 1, 0, 1)),
        *_classifier(w[512], w[4096], classes),
    ]


def _three(before: int, after: int) -> Layers:
    layers = []
    for number in (3, 4, 5):
        shape = (3, 3, before if number == 3 else after, after)
        layers += [
            conv(f"conv{number}", shape, pad=(1, 1, 1, 1), seed=number),
            relu(f"relu{number}"),
        ]
    return layers


def _classifier(channels: int, hidden: int, classes: int) -> Layers:
    return [
        conv("fc6", (6, 6, channels, hidden)),
        relu("relu6"),
        conv("fc7", (1, 1, hidden, hidden)),
        relu("relu7"),
        conv("fc8", (1, 1, hidden, classes)),
        {"type": "softmax", "name": "prob"},
    ]


NETWORKS = {"AlexNet": alexnet, "VGGM": vgg_m, "VGGS": vgg_s}
