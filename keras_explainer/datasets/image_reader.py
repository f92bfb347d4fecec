"""Image files to uint8 arrays of one size."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from keras_explainer.errors import ConfigError, DataError

from .bad_image import BadImage
from .bounded_reader import BoundedReader
from .containment import resolve_inside

Progress = Callable[[int, int], None]

# Only these decoders run: some others of Pillow start external programs (EPS).
FORMATS = ("BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TIFF", "WEBP")
EXTENSIONS = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
MAX_PIXELS = 50_000_000

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION, _TIFF_BITS, _TIFF_PHOTOMETRIC = 0x0112, 258, 262


def two_sides(image_size: Sequence[int]) -> tuple[int, int]:
    """`image_size` as (height, width), checked.

    Raises:
        ConfigError: it is not a pair of whole numbers of 1 or more.
    """
    if (
        isinstance(image_size, (str, bytes))
        or not isinstance(image_size, (Sequence, np.ndarray))
        or len(image_size) != 2
        or not all(_is_count(side, 1) for side in image_size)
    ):
        raise ConfigError(
            "image_size must be (height, width), two whole numbers of pixels of 1 "
            f"or more, for instance (224, 224); got {image_size!r}."
        )
    return int(image_size[0]), int(image_size[1])


def _is_count(value: object, least: int) -> bool:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and int(value) >= least  # type: ignore[call-overload]


class ImageReader:
    """Decodes image files to uint8 (height, width, channels), upright, 0..255.

    What it does with each kind of file:

    * grey: its value in each of the channels; palette: its colours.
    * alpha (also palette and tRNS transparency): composited on black, that is
      `colour * alpha / 255`, before resizing.
    * CMYK and YCCK: converted by Pillow, without a colour profile.
    * 16 bits per channel: the high byte, as libpng (so Pillow for colour, and
      TensorFlow) does; 65535 becomes 255. Signed, 32-bit and float files are
      refused: their range is unknown.
    * EXIF orientation: applied, so that the image is upright. Part centres refer
      to the upright image.
    * several frames or pages (GIF, WebP, APNG, TIFF): refused, unless
      `first_frame`. A camera's MPO (a JPEG with further pictures) is a still.
    * refused: empty, truncated, not an image, another format than `FORMATS`, zero
      sides, more than `max_pixels` pixels (read from the header, before decoding),
      a folder, a pipe or a device, a link that leaves `root`.

    Resizing is Pillow's bilinear, which antialiases as
    `tf.image.resize(method="bilinear", antialias=True)` does (equal to about one
    level); the aspect is not kept. An image that has the size is not touched.

    Args:
        image_size: (height, width) in pixels.
        channels: 3 (RGB) or 1 (luma, ITU-R 601).
        on_bad: what `read_many` does with a bad file: "skip" it and list it, or
            "raise".
        max_pixels: the largest width x height that is decoded. Above about
            179 million Pillow's own limit applies.
        first_frame: accept animations and read their first frame.
        workers: threads of `read_many`.

    Raises:
        ConfigError: an argument that is not accepted.
    """

    def __init__(
        self,
        image_size: Sequence[int] = (224, 224),
        channels: int = 3,
        on_bad: str = "skip",
        max_pixels: int = MAX_PIXELS,
        *,
        first_frame: bool = False,
        workers: int = 2,
    ) -> None:
        self.image_size = two_sides(image_size)
        if channels not in (1, 3):
            raise ConfigError(f"channels must be 1 or 3; got {channels!r}.")
        if on_bad not in ("skip", "raise"):
            raise ConfigError(f"on_bad must be 'skip' or 'raise'; got {on_bad!r}.")
        if not _is_count(max_pixels, 1):
            raise ConfigError(f"max_pixels must be 1 or more; got {max_pixels!r}.")
        if not _is_count(workers, 1):
            raise ConfigError(f"workers must be 1 or more; got {workers!r}.")
        self.channels = int(channels)
        self.on_bad = on_bad
        self.max_pixels = int(max_pixels)
        self.first_frame = bool(first_frame)
        self.workers = int(workers)
        Image.init()  # once, here: Pillow's plugin loading is not made for threads
        self._formats = [name for name in FORMATS if name in Image.OPEN]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what it reads."""
        return (*self.image_size, self.channels)

    def settings(self) -> dict[str, Any]:
        """All that decides the pixels of a file, JSON-able; part of content hashes."""
        return {
            "image_size": list(self.image_size),
            "channels": self.channels,
            "resize": "bilinear-antialias",
            "alpha": "black",
            "sixteen_bit": "high-byte",
            "first_frame": self.first_frame,
        }

    def read(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] | None = None,
    ) -> np.ndarray:
        """One file as uint8 (height, width, channels).

        Args:
            path: the file.
            root: a folder that `path` is relative to and must not leave.

        Raises:
            DataError: the file cannot be used; the message has path and reason.
        """
        try:
            return self._read(path, root)
        except DataError as error:
            raise DataError(f"{os.fspath(path)}: {error}") from error

    def size(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] | None = None,
    ) -> tuple[int, int]:
        """(height, width) in pixels of the upright image, from its header.

        Raises:
            DataError: the file cannot be used; the message has path and reason.
        """
        try:
            with _open_regular(path, root) as handle:
                return self._guarded(self._header_size, handle)
        except DataError as error:
            raise DataError(f"{os.fspath(path)}: {error}") from error

    def read_many(
        self,
        paths: Sequence[str | os.PathLike[str]],
        root: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> tuple[np.ndarray, np.ndarray, list[BadImage]]:
        """Many files, in their order.

        Args:
            paths: the files.
            root: a folder that the paths are relative to and must not leave.
            progress: called with (files done, files in all).

        Returns:
            images uint8 (n, height, width, channels); the indices int64 (n,) of the
            files they are of; the bad files.

        Raises:
            DataError: a file is bad and `on_bad` is "raise"; the first one is named.
        """
        images = np.empty((len(paths), *self.image_shape), np.uint8)

        def read_into(index: int) -> BadImage | None:
            try:
                images[index] = self._read(paths[index], root)
            except DataError as error:
                return BadImage(os.fspath(paths[index]), str(error))
            return None

        outcome = self.map(read_into, len(paths), progress)
        bad = [entry for entry in outcome if entry is not None]
        if bad and self.on_bad == "raise":
            raise DataError(f"{bad[0].path}: {bad[0].reason}")
        kept = np.array([i for i, entry in enumerate(outcome) if entry is None], int)
        for place, index in enumerate(kept):  # in place: no second array
            if place != index:
                images[place] = images[index]
        return images[: len(kept)], kept, bad

    def map(
        self,
        work: Callable[[int], Any],
        count: int,
        progress: Progress | None = None,
    ) -> list[Any]:
        """`[work(0), ..., work(count - 1)]` on `workers` threads, in order."""
        results: list[Any] = []
        if self.workers == 1 or count <= 1:
            for index in range(count):
                results.append(work(index))
                if progress:
                    progress(index + 1, count)
            return results
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="image-reader")
        try:
            for result in pool.map(work, range(count)):
                results.append(result)
                if progress:
                    progress(len(results), count)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return results

    def _read(
        self,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] | None,
    ) -> np.ndarray:
        with _open_regular(path, root) as handle:
            return self._guarded(self._decode, handle)

    def _guarded(self, work: Callable[[Image.Image], Any], handle: BinaryIO) -> Any:
        """`work(image)`; whatever a decoder raises becomes a DataError."""
        try:
            with Image.open(handle, formats=self._formats) as image:
                self._check_header(image)
                return work(image)
        except (DataError, MemoryError):
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise DataError(
                f"declares far more than max_pixels={self.max_pixels} pixels"
            ) from error
        except UnidentifiedImageError as error:
            raise DataError(
                f"is not an image of a format that is read ({', '.join(self._formats)})"
                ", or its header is damaged"
            ) from error
        except zlib.error as error:
            raise DataError(f"is damaged ({error})") from error
        except Exception as error:
            # Decoders raise OSError, SyntaxError, struct.error, IndexError and others
            # on damaged files.
            raise DataError(f"is truncated or damaged ({error})") from error

    def _check_header(self, image: Image.Image) -> None:
        width, height = image.size
        if width < 1 or height < 1:
            raise DataError(f"has no pixels ({width} x {height})")
        if width * height > self.max_pixels:
            raise DataError(
                f"declares {width} x {height} pixels, more than "
                f"max_pixels={self.max_pixels}"
            )
        several = getattr(image, "is_animated", False) and image.format != "MPO"
        if several and not self.first_frame:
            raise DataError(
                f"has several frames ({image.format}); first_frame=True reads the first"
            )

    def _header_size(self, image: Image.Image) -> tuple[int, int]:
        width, height = image.size
        return (width, height) if _orientation(image) >= 5 else (height, width)

    def _decode(self, image: Image.Image) -> np.ndarray:
        image.load()
        turn = _TRANSPOSE.get(_orientation(image))
        plain = _plain(image).convert("RGB" if self.channels == 3 else "L")
        if turn is not None:
            plain = plain.transpose(turn)
        height, width = self.image_size
        if plain.size != (width, height):
            plain = plain.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(plain, np.uint8).reshape(self.image_shape)


def _open_regular(
    path: str | os.PathLike[str], root: str | os.PathLike[str] | None
) -> BinaryIO:
    """The file, opened for reading; it must be a regular one that is not empty."""
    if root is not None:
        path = resolve_inside(root, os.fspath(path))
    try:
        status = os.stat(path)  # before opening: opening a pipe would wait for ever
        if stat.S_ISDIR(status.st_mode):
            raise DataError("is a folder, not an image file")
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is not a regular file")
        if status.st_size == 0:
            raise DataError("is empty (0 bytes)")
        return BoundedReader(path, status.st_size)
    except FileNotFoundError as error:
        raise DataError("does not exist") from error
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})") from error
    except DataError:
        raise
    except ValueError as error:  # a zero byte in the path
        raise DataError(f"is no valid path ({error})") from error


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8; 1 where there is none or the EXIF block is damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # an unreadable EXIF block does not spoil the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _plain(image: Image.Image) -> Image.Image:
    """The image with 8 bits per channel and without transparency."""
    wide = image.mode == "I" and image.format in ("PNG", "PPM")  # 16 bits in 32
    if image.mode.startswith("I;16") or wide:
        return _high_byte(image)
    if image.mode in ("I", "F"):
        raise DataError(
            f"has 32-bit, signed or float pixels (mode {image.mode!r}), whose range is "
            "unknown: save it with 8 or 16 bits"
        )
    if image.has_transparency_data:
        # Pillow's premultiplied mode is the image composited on black.
        premultiplied = image.convert("RGBA").convert("RGBa")
        return Image.merge("RGB", premultiplied.split()[:3])
    return image


def _high_byte(image: Image.Image) -> Image.Image:
    """A 16-bit grey image as 8-bit grey (Pillow's own conversion clips at 255)."""
    tags = getattr(image, "tag_v2", {})
    bits = int(tags.get(_TIFF_BITS, (16,))[0])  # Pillow reads 12-bit TIFF unscaled
    values = np.asarray(image).astype(np.int32)
    grey = (values >> (bits - 8)).clip(0, 255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == 0:  # white is zero, which Pillow ignores here
        grey = 255 - grey
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 0
    return Image.fromarray(grey)
