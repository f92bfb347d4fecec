"""Reads the MatConvNet part of a .mat file: layers, weights and the mean image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.networks.mat5 import read_mat5

# The largest public file has 0.6 GB, and weights hardly pack; what a file says of
# itself is not believed.
MAX_BYTES = 2 << 30
MOST_TIMES, FREE_BYTES = 20, 64 << 20
_HDF5 = b"\x89HDF\r\n\x1a\n"
_MOST_NUMBERS = 64
_WANTED = ("layers", "meta", "normalization")


@dataclass(frozen=True)
class MatLayer:
    """A layer of a MatConvNet network.

    Attributes:
        kind: 'conv', 'relu', 'lrn', 'pool', 'softmax', ….
        name: of the layer.
        weights: filters (h, w, in, out) and biases (out,), float32; empty without.
        numbers: its other numeric fields (stride, pad, pool, param), flattened.
    """

    kind: str
    name: str
    weights: tuple[np.ndarray, ...] = ()
    numbers: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class MatNetwork:
    """A network: its layers in order, and its mean image (RGB), or None."""

    layers: tuple[MatLayer, ...]
    mean: np.ndarray | None


def read_mat(path: Path) -> MatNetwork:
    """Reads a network of MatConvNet's `SimpleNN` form.

    Nothing in the file is run: numbers, texts, structs and cells are read, objects and
    functions are not. A file that unpacks to more than 2 GiB, or to 20 times its own
    size and 64 MiB, is refused before it is more.

    Args:
        path: a .mat file of version 5 to 7.

    Raises:
        TeacherError: it is damaged, too large, or no such network.
    """
    try:
        content = _content(path)
    except (OSError, ValueError) as error:
        raise TeacherError(f"'{path}' cannot be read: {error}.") from error
    layers = content.get("layers")
    if not isinstance(layers, list):
        raise TeacherError(
            f"'{path}' holds no network of MatConvNet: a cell array 'layers' is needed."
        )
    try:
        return MatNetwork(tuple(_layer(_struct(one)) for one in layers), _mean(content))
    except (TypeError, ValueError) as error:
        raise TeacherError(
            f"'{path}' holds layers that are none of MatConvNet's: {error}"
        ) from error


def _content(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(128)
        if start.startswith(_HDF5) or b"MATLAB 7.3" in start[:20]:
            raise TeacherError(
                f"'{path}' is of MATLAB's version 7.3. Save it again in MATLAB with "
                "save(..., '-v7'), as the published files are."
            )
        most = min(MAX_BYTES, MOST_TIMES * size + FREE_BYTES)
        if size > most:
            raise ValueError(f"it has more than {MAX_BYTES >> 20} MiB")
        return read_mat5(start + file.read(), _WANTED, most)


def _layer(struct: dict[str, Any]) -> MatLayer:
    given: list[Any] = []
    if isinstance(struct.get("weights"), list):
        given = struct["weights"]
    elif "filters" in struct and "biases" in struct:
        given = [struct["filters"], struct["biases"]]
    weights = [_numbers(array, "weights").astype("float32") for array in given]
    if weights:
        if len(weights) < 2:
            raise ValueError("a layer with filters and no biases")
        filters = weights[0]
        # MATLAB drops trailing axes of length 1.
        weights[0] = filters.reshape(filters.shape + (1,) * (4 - filters.ndim))
        weights[1:] = [array.ravel() for array in weights[1:]]
    numbers = {}
    for name in ("stride", "pad", "pool", "param"):
        array = struct.get(name)
        if isinstance(array, np.ndarray) and array.size <= _MOST_NUMBERS:
            numbers[name] = tuple(float(value) for value in array.ravel())
    kind, name = (_text(struct.get(key)) for key in ("type", "name"))
    return MatLayer(kind, name, tuple(weights), numbers)


def _mean(content: dict[str, Any]) -> np.ndarray | None:
    holder = _struct(content["meta"]) if "meta" in content else content
    if "normalization" not in holder:
        return None
    mean = _struct(holder["normalization"]).get("averageImage")
    if not isinstance(mean, np.ndarray) or not mean.size:
        return None
    mean = mean.astype("float32")
    if not np.isfinite(mean).all():
        raise ValueError("a mean image with NaN or infinity")
    if mean.size == 3:
        return mean.reshape(1, 1, 3)
    if mean.ndim != 3 or mean.shape[-1] != 3:
        raise ValueError(f"a mean image of shape {mean.shape}")
    return mean


def _struct(value: Any) -> dict[str, Any]:
    """A struct, also where it is alone in a cell."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise TypeError(f"a struct is needed, got a {type(value).__name__}")
    return value


def _numbers(value: Any, what: str) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{what} are numbers, got a {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
