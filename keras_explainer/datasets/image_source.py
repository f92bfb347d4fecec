"""What learning and evaluation need of a set of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from .bad_image import BadImage
from .image_reader import Progress


class ImageSource(Protocol):
    """Images of one size, in a fixed order; `ImageSubset` and `ImageArray` are it."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""

    @property
    def labels(self) -> list[str | None]:
        """The category of each image, or None."""

    @property
    def bad(self) -> list[BadImage]:
        """Files that were left out."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the annotated parts."""

    @property
    def centres(self) -> np.ndarray:
        """float64 (n, parts, 2), (y, x) in pixels of the images, NaN where absent."""

    @property
    def has_annotations(self) -> bool:
        """Whether some image has a part centre that may be read."""

    @property
    def annotated(self) -> ImageSource:
        """The images with at least one part centre."""

    @property
    def content_hash(self) -> str:
        """64 hex digits that change when any pixel may have changed."""

    def __len__(self) -> int: ...

    def images(self, indices: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """(n, height, width, channels), values 0..255."""

    def load(self, progress: Progress | None = None) -> np.ndarray:
        """All images in one array."""

    def batches(
        self,
        batch_size: int,
        indices: Sequence[int] | np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """The images in order, at most `batch_size` at a time."""

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageSource:
        """The images at `indices`, in that order."""
