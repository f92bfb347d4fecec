"""`ImageRequest`: images as a user has them, in batches as a server takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import DataError, whole_number
from keras_explainer.serving.image_batch import ImageBatch

_ACCEPTED = (
    "an array (n, h, w, C) or (h, w, C) of numbers 0..255, encoded images (bytes), "
    "paths of image files, or a list of these of one kind"
)


class ImageRequest:
    """Images, checked; files are read when their batch is made.

    Args:
        images: See the message of its error.
        names: Of the images, one each; None takes paths as they are given.
        batch_size: Images of a request at most.
        max_bytes: Of a request at most, about; one image may be larger.

    Attributes:
        count: Number of images.
        encoded: Whether they are encoded.
        names: One each, or None.

    Raises:
        DataError: Something else, no images, or another number of names.
        ConfigError: `batch_size` is no whole number from 1.
    """

    def __init__(
        self,
        images: Any,
        names: Iterable[str] | None,
        batch_size: int,
        max_bytes: int,
    ) -> None:
        self.batch_size = whole_number("batch_size", batch_size)
        self.max_bytes = max_bytes
        self._array, self._entries = _taken(images)
        self.encoded = self._array is None
        self.count = len(self._entries if self._array is None else self._array)
        if not self.count:
            raise DataError("There are no images.")
        self.names = self._checked_names(names)

    def batches(self) -> Iterator[ImageBatch]:
        """The images in their order."""
        if self._array is not None:
            yield from self._of_array(self._array)
        else:
            yield from self._of_entries()

    def name(self, row: int) -> str | None:
        """The name of an image."""
        return None if self.names is None else self.names[row]

    def _of_array(self, array: np.ndarray) -> Iterator[ImageBatch]:
        one = array[0].size * 4
        size = max(1, min(self.batch_size, self.max_bytes // max(one, 1)))
        for start in range(0, len(array), size):
            part = array[start : start + size]
            rows = tuple(range(start, start + len(part)))
            yield ImageBatch(rows, part.astype("float32"), {})

    def _of_entries(self) -> Iterator[ImageBatch]:
        rows: list[int] = []
        data: list[bytes] = []
        bad: dict[int, str] = {}
        size = 0
        for row, entry in enumerate(self._entries):
            try:
                content = entry if isinstance(entry, bytes) else entry.read_bytes()
            except OSError as error:
                bad[row] = f"The file cannot be read: {error.strerror or error}."
                continue
            full = len(rows) == self.batch_size or size + len(content) > self.max_bytes
            if rows and full:
                yield ImageBatch(tuple(rows), _bytes_array(data), bad)
                rows, data, bad, size = [], [], {}, 0
            rows.append(row)
            data.append(content)
            size += len(content)
        yield ImageBatch(tuple(rows), _bytes_array(data), bad)

    def _checked_names(self, names: Iterable[str] | None) -> list[str] | None:
        if names is None:
            if not any(isinstance(entry, Path) for entry in self._entries):
                return None
            return [
                str(entry) if isinstance(entry, Path) else f"image {row}"
                for row, entry in enumerate(self._entries)
            ]
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if not isinstance(name, str):
                raise DataError(f"names are texts, got {type(name).__name__}.")
        if len(names) != self.count:
            raise DataError(f"There are {self.count} images but {len(names)} names.")
        return names


def _taken(images: Any) -> tuple[np.ndarray | None, list[bytes | Path]]:
    if isinstance(images, bytes | bytearray | memoryview | str | os.PathLike):
        images = [images]
    if isinstance(images, np.ndarray) or hasattr(images, "__array__"):
        return _array(np.asarray(images)), []
    try:
        if isinstance(images, Mapping):
            raise TypeError
        entries = list(images)
    except TypeError:
        raise DataError(
            f"Images are {_ACCEPTED}; got {type(images).__name__}."
        ) from None
    if entries and all(hasattr(entry, "__array__") for entry in entries):
        arrays = [np.asarray(entry) for entry in entries]
        shapes = {array.shape for array in arrays}
        if len(shapes) > 1 or len(next(iter(shapes))) != 3:
            raise DataError(
                "A list of arrays holds images (h, w, C) of one size; got "
                f"{sorted(shapes)[:4]}. Send them size by size, or encoded."
            )
        return _array(np.stack(arrays)), []
    return None, [_entry(entry) for entry in entries]


def _entry(entry: Any) -> bytes | Path:
    if isinstance(entry, bytes | bytearray | memoryview):
        return bytes(entry)
    if isinstance(entry, str | os.PathLike):
        return Path(entry)
    raise DataError(f"Images are {_ACCEPTED}; got a list with {type(entry).__name__}.")


def _array(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "uif":
        raise DataError(f"Images are {_ACCEPTED}; got an array of {array.dtype}.")
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4:
        raise DataError(
            f"Images have shape (n, h, w, C) or (h, w, C), got {array.shape}."
        )
    if not array.size and len(array):
        raise DataError(f"The images have no pixels: shape {array.shape}.")
    return array


def _bytes_array(data: list[bytes]) -> np.ndarray:
    found = np.empty(len(data), object)
    found[:] = data
    return found
