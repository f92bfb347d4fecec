"""`EncodedImages`: JPEG, PNG and BMP files decoded inside a TensorFlow graph.

What `datasets.ImageReader` does by Pillow: whole values, transparency on black,
upright. A file that cannot be used spoils its own row alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_explainer.datasets.image_reader import MAX_PIXELS
from keras_explainer.export.exif_orientation import exif_orientation, upright

_PNG, _JPEG, _BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM"
UNREADABLE = "The image cannot be decoded: it is no JPEG, PNG or BMP, or is damaged."


class EncodedImages:
    """Decodes a batch of files, each to an image of one size.

    Args:
        shape: (H, W, C) of the images that are wanted; C is 1 or 3.
        resize: From (1, h, w, C) to (1, H, W, C), float32.
        max_pixels: Files that declare more are refused before they are decoded.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        resize: Callable[[Any], Any],
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.shape = shape
        self.resize = resize
        self.max_pixels = max_pixels

    def __call__(self, encoded: Any) -> tuple[Any, Any]:
        """Images (n, H, W, C), float32, and what is wrong with them, (n,) text.

        Args:
            encoded: The files' bytes, (n,).

        Returns:
            0 for an image that cannot be used; an empty text for one that is right.
        """
        count = tf.size(encoded, out_type="int64")
        # One element more than images: a batch of no element cannot be taken out.
        last = tf.data.Dataset.from_tensors(
            (count, tf.constant(""), tf.zeros(self.shape))
        )
        # `ignore_errors` drops what cannot be decoded; the numbers tell which are left.
        rows = (
            tf.data.Dataset.from_tensor_slices(encoded)
            .enumerate()
            .map(self._row, num_parallel_calls=tf.data.AUTOTUNE)
            .ignore_errors()
            .concatenate(last)
            .batch(count + 1)
            .get_single_element()
        )
        numbers, status, images = rows
        at = numbers[:, None]
        every = tf.concat([[count + 1], tf.constant(self.shape, "int64")], axis=0)
        images = tf.scatter_nd(at, images, every)[:count]
        status = tf.tensor_scatter_nd_update(
            tf.fill([count + 1], UNREADABLE), at, status
        )[:count]
        return tf.ensure_shape(images, (None, *self.shape)), status

    def _row(self, number: Any, encoded: Any) -> tuple[Any, Any, Any]:
        pixels = self._declared_pixels(encoded)
        large = pixels > self.max_pixels
        image = tf.cond(
            large,
            lambda: tf.zeros(self.shape),
            lambda: self.resize(self._decode(encoded)[None])[0],
        )
        return number, tf.where(large, self.too_large(pixels), ""), image

    def too_large(self, pixels: Any) -> Any:
        """What is said of an image with too many pixels."""
        return tf.strings.join(
            [
                "The image has ",
                tf.strings.as_string(pixels),
                f" pixels, more than {self.max_pixels}.",
            ]
        )

    def _declared_pixels(self, encoded: Any) -> Any:
        """int64: height times width, as the file's header has them."""

        def png() -> Any:
            sides = tf.strings.substr(encoded, 16, 8)
            return tf.io.decode_raw(sides, "int32", little_endian=False)

        def bmp() -> Any:
            sides = tf.strings.substr(encoded, 18, 8)
            return tf.abs(tf.io.decode_raw(sides, "int32", little_endian=True))

        def jpeg() -> Any:
            return tf.io.extract_jpeg_shape(encoded)[:2]

        sides = tf.cast(_by_format(encoded, png, jpeg, bmp), "int64")
        return tf.reduce_prod(sides)

    def _decode(self, encoded: Any) -> Any:
        """(h, w, C) float32 with whole values."""

        def png() -> Any:
            image = tf.cast(tf.io.decode_png(encoded, channels=4), "float32")
            return tf.round(image[..., :3] * image[..., 3:] / 255.0)

        def jpeg() -> Any:
            # The same inverse transform as Pillow's.
            image = tf.io.decode_jpeg(
                encoded, channels=3, dct_method="INTEGER_ACCURATE"
            )
            return upright(tf.cast(image, "float32"), exif_orientation(encoded))

        def bmp() -> Any:
            return tf.cast(tf.io.decode_bmp(encoded, channels=3), "float32")

        image = _by_format(encoded, png, jpeg, bmp)
        image = tf.ensure_shape(image, (None, None, 3))
        if self.shape[2] == 1:
            # Pillow's luma, ITU-R 601 in 16 bits.
            weights = tf.constant([19595, 38470, 7471], "int32")
            luma = tf.reduce_sum(tf.cast(image, "int32") * weights, -1, keepdims=True)
            return tf.cast((luma + 0x8000) // 0x10000, "float32")
        return image


def _by_format(encoded: Any, png: Any, jpeg: Any, bmp: Any) -> Any:
    """What the function of the file's format gives; BMP's refuses all others."""

    def starts_with(magic: bytes) -> Any:
        return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

    known = tf.debugging.Assert(
        starts_with(_PNG) | starts_with(_JPEG) | starts_with(_BMP), [UNREADABLE]
    )
    with tf.control_dependencies([known]):
        encoded = tf.identity(encoded)
    return tf.case([(starts_with(_PNG), png), (starts_with(_JPEG), jpeg)], default=bmp)
