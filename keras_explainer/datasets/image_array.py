"""Images that are already an array."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_explainer.errors import ConfigError, DataError

from .bad_image import BadImage
from .image_reader import Progress
from .row_indices import batch_rows, row_indices

_BLOCK_BYTES = 16 << 20


class ImageArray:
    """An array of images with the interface of `ImageSubset`.

    Values must be those of image files, 0..255: a teacher does its own preprocessing.
    Whole-number arrays are given out as uint8, floating ones as float32. The array is
    not copied (a memory map stays one); do not change it afterwards.

    Args:
        images: (n, height, width, channels), channels 1 or 3.
        labels: the category of each image, or None.
        part_names: P part names.
        centres: float (n, P, 2), (y, x) in pixels of the images, NaN where absent,
            0 <= y <= height and 0 <= x <= width.
        any_values: accept any number of channels and any range of values; for a teacher
            that does no preprocessing and takes something other than pixels.

    Raises:
        DataError: shape, type or values that are not those of images.
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        labels: Sequence[str | None] | None = None,
        part_names: Sequence[str] = (),
        centres: np.ndarray | None = None,
        any_values: bool = False,
    ) -> None:
        images = np.asanyarray(images)
        if images.ndim != 4 or not (any_values or images.shape[3] in (1, 3)):
            raise DataError(
                "An array of images has shape (n, height, width, channels) with 1 or 3 "
                f"channels; got {images.shape}. One image: array[None]; channels "
                "first: np.moveaxis(array, 1, -1)."
            )
        if not all(images.shape):
            raise DataError(f"The array holds no pixels: its shape is {images.shape}.")
        if images.dtype.kind not in "uif":
            raise DataError(
                f"Images must be uint8 or float arrays; got {images.dtype}."
            )
        self._images = images
        self._any_values = any_values
        if not any_values:
            self._check_values()
        count, height, width = images.shape[:3]
        self._labels = [None] * count if labels is None else list(labels)
        if len(self._labels) != count:
            raise DataError(f"{count} images but {len(self._labels)} labels.")
        self._part_names = tuple(part_names)
        shape = (count, len(self._part_names), 2)
        self._centres = np.array(
            np.full(shape, np.nan) if centres is None else centres, np.float64
        )
        if self._centres.shape != shape:
            raise DataError(
                f"centres must have shape {shape} (images, parts, 2); got "
                f"{self._centres.shape}."
            )
        absent = np.isnan(self._centres)
        outside = (self._centres < 0) | (self._centres > (height, width))
        wrong = outside.any(-1) | (absent[..., 0] != absent[..., 1])
        for row, part in np.argwhere(wrong)[:1]:
            raise DataError(
                f"centre of {self._part_names[part]!r} in image {row} is "
                f"{self._centres[row, part].tolist()}; it must lie in the image of "
                f"{height} x {width}, or be NaN in both."
            )
        self._content_hash: str | None = None

    def _check_values(self) -> None:
        # uint8 needs no look; other types are looked at in blocks.
        if self._images.dtype == np.uint8:
            return
        low, high, whole = np.inf, -np.inf, True
        for block in self._blocks():
            low, high = min(low, float(block.min())), max(high, float(block.max()))
            if not np.isfinite(block).all():
                raise DataError("Images contain NaN or infinity.")
            whole = whole and bool((block == np.floor(block)).all())
        hint = ""
        if high <= 1 and low >= -1 and not whole:
            hint = " They look scaled: multiply them back to 0..255."
        if low < 0 or high > 255 or hint:
            raise DataError(
                "Image values must be in 0..255, as in image files (the teacher "
                f"preprocesses them itself); these are in {low:g}..{high:g}.{hint}"
            )

    def _blocks(self) -> Iterator[np.ndarray]:
        rows = max(1, _BLOCK_BYTES // max(1, self._images[0].nbytes))
        for at in range(0, len(self._images), rows):
            yield self._images[at : at + rows]

    def __len__(self) -> int:
        return len(self._images)

    def __repr__(self) -> str:
        return f"ImageArray{self._images.shape}"

    @property
    def dtype(self) -> np.dtype[Any]:
        """What `images` gives out: uint8 or float32."""
        return np.dtype(np.float32 if self._images.dtype.kind == "f" else np.uint8)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        _, height, width, channels = self._images.shape
        return (height, width, channels)

    @property
    def labels(self) -> list[str | None]:
        """The category of each image, or None."""
        return list(self._labels)

    @property
    def bad(self) -> list[BadImage]:
        """Always empty: an array has no unreadable files."""
        return []

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the annotated parts."""
        return self._part_names

    @property
    def centres(self) -> np.ndarray:
        """float64 (n, parts, 2), (y, x) in pixels of the images; NaN: absent."""
        return self._centres.copy()

    @property
    def has_annotations(self) -> bool:
        """Whether some image has a part centre."""
        return not bool(np.isnan(self._centres).all())

    @property
    def annotated(self) -> ImageArray:
        """The images with at least one part centre.

        Raises:
            DataError: there is none.
        """
        if not self.has_annotations:
            raise DataError("No image of the array has a part centre.")
        absent = np.isnan(self._centres[..., 0])
        return self.subset(np.flatnonzero(~absent.all(axis=-1)))

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageArray:
        """A copy of the images at `indices` (or in a boolean mask), in that order.

        Raises:
            ConfigError: indices that do not exist, or none.
        """
        rows = row_indices(indices, len(self))
        if not len(rows):
            raise ConfigError("subset needs at least one image.")
        return ImageArray(
            self._images[rows],
            labels=[self._labels[row] for row in rows],
            part_names=self._part_names,
            centres=self._centres[rows],
            any_values=self._any_values,
        )

    def images(self, indices: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """(n, height, width, channels), uint8 or float32, 0..255.

        Args:
            indices: rows, or a boolean mask; None for all.

        Raises:
            ConfigError: indices that do not exist.
        """
        if indices is None:
            return np.asarray(self._images, self.dtype)
        return self._rows(row_indices(indices, len(self)))

    def load(self, progress: Progress | None = None) -> np.ndarray:
        """All images in one array."""
        images = self.images()
        if progress:
            progress(len(self), len(self))
        return images

    def batches(
        self,
        batch_size: int,
        indices: Sequence[int] | np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """The images in order, at most `batch_size` at a time.

        Raises:
            ConfigError: a batch size or indices that are not accepted.
        """
        rows = row_indices(indices, len(self))
        return map(self._rows, batch_rows(rows, batch_size))

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self._images[rows], self.dtype)

    @property
    def content_hash(self) -> str:
        """sha256, hex, over shape, type and values; the memory layout is no matter."""
        if self._content_hash is None:
            head = f"{self._images.shape} {self._images.dtype.newbyteorder('<').str}"
            total = hashlib.sha256(head.encode())
            little = self._images.dtype.newbyteorder("<")
            for block in self._blocks():
                total.update(np.ascontiguousarray(block, little).data)
            self._content_hash = total.hexdigest()
        return self._content_hash
