"""`SampleImages`: the images on which an export is compared with Keras."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Sequence
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
            given: A folder of images (searched through), a list of files,
                (n, H, W, C), or None.
            count: At most so many.

        Raises:
            DataError: No folder, no image that can be read, images that do not fit.
        """
        if given is None:
            return cls(generated(count, teacher.input_shape), "generated")
        if isinstance(given, str | os.PathLike):
            return cls._of_folder(teacher, Path(given), count)
        if (
            isinstance(given, list)
            and given
            and all(isinstance(one, str | os.PathLike) for one in given)
        ):
            return cls._of_files(teacher, [Path(one) for one in given], count)
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
        return cls._of_files(teacher, files[:: max(1, len(files) // count)], count)

    @classmethod
    def _of_files(
        cls, teacher: Teacher, files: Sequence[Path], count: int
    ) -> SampleImages:
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
                f"There is no image that can be read ({', '.join(SUFFIXES)}) among "
                f"{len(files)} files."
            )
        return cls(np.stack(pixels).astype("float32"), "given", tuple(good))

    def encoded(self, count: int) -> list[bytes]:
        """The first images as files: those that were read, or PNG."""
        if self.files:
            return [file.read_bytes() for file in self.files[:count]]
        return [as_png(image) for image in self.pixels[:count]]

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


def as_png(image: np.ndarray) -> bytes:
    """The file of an image (H, W, 1 or 3) with whole values 0..255."""
    from PIL import Image

    pixels = np.round(image).astype("uint8")
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(
        file, "PNG"
    )
    return file.getvalue()
