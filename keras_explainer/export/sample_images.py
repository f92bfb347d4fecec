"""`SampleImages`: the images on which an export is compared with Keras."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_explainer.datasets import ImageReader
from keras_explainer.errors import DataError

if TYPE_CHECKING:
    from keras_explainer.teachers import Teacher

COUNT = 8
"""Images that are compared, at most."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True)
class SampleImages:
    """Images of the teacher's size.

    Attributes:
        pixels: (n, H, W, C), RGB 0..255, whole values.
        source: "given", or "generated": drawn at random, where there were none.
        files: From which they were read; empty for arrays.
    """

    pixels: np.ndarray
    source: str
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, teacher: Teacher, given: Any, count: int = COUNT) -> SampleImages:
        """The first images of what a user gives.

        Args:
            teacher: Whose size they get.
            given: A folder of images (searched through), (n, H, W, C), or None.
            count: At most so many.

        Raises:
            DataError: No folder, no image that can be read, images that do not fit.
        """
        if given is None:
            return cls(generated(count, teacher.input_shape), "generated")
        if isinstance(given, str | os.PathLike):
            return cls._of_folder(teacher, Path(given), count)
        pixels = np.asarray(given)[:count]
        teacher.check_images(pixels)
        # Encoded endpoints get them as files, which keep whole values alone.
        return cls(np.round(pixels.astype("float32")), "given")

    @classmethod
    def _of_folder(cls, teacher: Teacher, folder: Path, count: int) -> SampleImages:
        if not folder.is_dir():
            raise DataError(f"There is no folder {folder} of images.")
        files = sorted(
            file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES
        )
        # From all over the folder, not of one kind alone.
        files = files[:: max(1, len(files) // count)]
        reader = ImageReader(teacher.input_shape[:2], teacher.input_shape[2])
        pixels, good = [], []
        for file in files:
            try:
                pixels.append(reader.read(file))
                good.append(file)
            except (DataError, OSError):
                continue
            if len(good) == count:
                break
        if not good:
            raise DataError(
                f"{folder} has no image that can be read ({', '.join(SUFFIXES)})."
            )
        return cls(np.stack(pixels).astype("float32"), "given", tuple(good))

    def facts(self) -> dict[str, Any]:
        """What is recorded of them."""
        return {
            "source": self.source,
            "count": len(self.pixels),
            "sha256": hashlib.sha256(self.pixels.astype("uint8").tobytes()).hexdigest(),
        }


def generated(count: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Random images with blobs and noise, the same at each call, (count, H, W, C)."""
    height, width, channels = shape
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 9, 9, channels)).astype("float32")
    fine = ops.image.resize(coarse, (height, width), data_format="channels_last")
    noise = random.normal(0, 10, (count, height, width, 1))
    found = np.round(np.clip(ops.convert_to_numpy(fine) + noise, 0, 255))
    return found.astype("float32")
