"""Reads the MatConvNet part of a .mat file: layers, weights and the mean image."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import TeacherError

# The largest public file has 0.6 GB; what a file says of itself is not believed.
MAX_BYTES = 2 << 30
_COMPRESSED = 15
_HDF5 = b"\x89HDF\r\n\x1a\n"
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
    functions are not. A file that would unpack to more than 2 GiB is refused before it
    is read.

    Args:
        path: a .mat file of version 5 to 7 (scipy is needed).

    Raises:
        TeacherError: it is damaged, too large, or no such network.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise TeacherError(
            f"'{path}' is a file of MATLAB: reading it needs scipy. Install "
            "keras-explainer[matconvnet]."
        ) from error
    _check_size(path)
    try:
        content = loadmat(path, struct_as_record=False, variable_names=_WANTED)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise TeacherError(f"'{path}' cannot be read: {reason}") from error
    layers = content.get("layers")
    if not isinstance(layers, np.ndarray) or layers.dtype != object:
        raise TeacherError(
            f"'{path}' holds no network of MatConvNet: a cell array 'layers' is needed."
        )
    try:
        return MatNetwork(
            tuple(_layer(_only(cell)) for cell in layers.ravel()), _mean(content)
        )
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise TeacherError(
            f"'{path}' holds layers that are none of MatConvNet's: {error}"
        ) from error


def _layer(struct: Any) -> MatLayer:
    fields = set(struct._fieldnames)
    given: list[Any] = []
    if "weights" in fields:
        cells = struct.weights
        given = [] if not cells.size else list(cells.ravel())
    elif {"filters", "biases"} <= fields:
        given = [struct.filters, struct.biases]
    weights = []
    for array in given:
        array = np.asarray(array)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"weights of type {array.dtype}")
        weights.append(array.astype("float32"))
    if weights:
        filters = weights[0]
        # MATLAB drops trailing axes of length 1.
        weights[0] = filters.reshape(filters.shape + (1,) * (4 - filters.ndim))
        weights[1:] = [array.ravel() for array in weights[1:]]
    numbers = {}
    for name in fields & {"stride", "pad", "pool", "param"}:
        array = np.asarray(getattr(struct, name))
        if array.dtype.kind in "fiu":
            numbers[name] = tuple(float(value) for value in array.ravel())
    return MatLayer(_text(struct.type), _text(struct.name), tuple(weights), numbers)


def _mean(content: dict[str, Any]) -> np.ndarray | None:
    holder: Any = content
    if "meta" in content:
        holder = vars(_only(content["meta"]))
    if "normalization" not in holder:
        return None
    struct = _only(holder["normalization"])
    mean = np.asarray(getattr(struct, "averageImage", ()))
    if not mean.size or mean.dtype.kind not in "fiu":
        return None
    mean = mean.astype("float32")
    if mean.size == 3:
        return mean.reshape(1, 1, 3)
    if mean.ndim != 3 or mean.shape[-1] != 3:
        raise ValueError(f"a mean image of shape {mean.shape}")
    return mean


def _only(value: Any) -> Any:
    """The one entry of a 1 x 1 array, which is how MATLAB keeps a struct."""
    while isinstance(value, np.ndarray) and value.dtype == object:
        if value.size != 1:
            raise ValueError(f"{value.size} structs where one is expected")
        value = value.ravel()[0]
    return value


def _text(value: Any) -> str:
    array = np.asarray(value)
    return str(array.ravel()[0]) if array.size else ""


def _check_size(path: Path) -> None:
    """Refuses files that unpack to more than `MAX_BYTES`, and other formats."""
    with path.open("rb") as file:
        start = file.read(128)
    if start.startswith(_HDF5) or b"MATLAB 7.3" in start[:20]:
        raise TeacherError(
            f"'{path}' is of MATLAB's version 7.3. Save it again in MATLAB with "
            "save(..., '-v7'), as the published files are."
        )
    total = 0
    for size in _unpacked(path):
        total += size
        if total > MAX_BYTES:
            raise TeacherError(
                f"'{path}' unpacks to more than {MAX_BYTES >> 30} GiB, more than any "
                "network of MatConvNet; it is not read."
            )


def _unpacked(path: Path) -> Iterator[int]:
    """Sizes of a file's parts as they are unpacked, piece by piece."""
    with path.open("rb") as file:
        header = file.read(128)
        if len(header) < 128 or header[126:128] not in (b"IM", b"MI"):
            raise TeacherError(f"'{path}' is no .mat file of version 5 to 7.")
        order = "<" if header[126:128] == b"IM" else ">"
        while tag := file.read(8):
            if len(tag) < 8:
                raise TeacherError(f"'{path}' is damaged: it ends in the middle.")
            kind, length = np.frombuffer(tag, f"{order}u4")
            if kind != _COMPRESSED:
                yield int(length)
                file.seek(int(length), 1)
                continue
            left, unpack = int(length), zlib.decompressobj()
            while left > 0:
                block = file.read(min(left, 1 << 16))
                if not block:
                    raise TeacherError(f"'{path}' is damaged: it ends in the middle.")
                left -= len(block)
                try:
                    while block:
                        yield len(unpack.decompress(block, 1 << 20))
                        block = unpack.unconsumed_tail
                except zlib.error as error:
                    raise TeacherError(f"'{path}' is damaged: {error}.") from error
