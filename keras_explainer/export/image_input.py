"""`ImageInput`: images of any size, and encoded ones, inside a TensorFlow graph.

What `datasets.ImageReader` does by Pillow: bilinear with antialias, whole values,
transparency on black, upright. Few resized values differ, by one level.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keras_explainer.export.exif_orientation import exif_orientation, upright

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


class ImageInput:
    """Makes what a server gets into what a teacher takes.

    Args:
        input_shape: The teacher's (H, W, C).
        expects_255: Whether values below 0 or above 255 are refused.
    """

    def __init__(self, input_shape: tuple[int, int, int], expects_255: bool) -> None:
        self.input_shape = input_shape
        self.expects_255 = expects_255

    @property
    def can_decode(self) -> bool:
        """Whether encoded images can be had in the teacher's channels."""
        return self.input_shape[2] in (1, 3)

    def resized(self, images: Any) -> Any:
        """(n, H, W, C) of images (n, h, w, C), float32, RGB 0..255.

        An image that has the size is not touched. NaN, infinity and values that the
        teacher does not take end in an `InvalidArgumentError`.
        """
        with tf.control_dependencies(self._checks(images)):
            return self._resize(tf.identity(images))

    def decoded(self, encoded: Any) -> Any:
        """(n, H, W, C) of encoded images (n,): JPEG, PNG, BMP, GIF (first frame)."""
        return tf.map_fn(
            lambda one: self._resize(self._decode(one)[None])[0],
            encoded,
            fn_output_signature=tf.TensorSpec(self.input_shape, "float32"),
        )

    def _resize(self, images: Any) -> Any:
        size = self.input_shape[:2]

        def other_size() -> Any:
            # Dividing by a side of 0 would end the server.
            whole = tf.debugging.assert_positive(
                tf.shape(images)[1:3], "Images have no pixels."
            )
            with tf.control_dependencies([whole]):
                height = tf.shape(images)[1]
            # As Pillow: along the rows, then along the columns, whole values each time.
            found = images
            for sides in ((height, size[1]), size):
                found = tf.image.resize(found, sides, "bilinear", antialias=True)
                found = tf.floor(found + 0.5)
            return found

        same = tf.reduce_all(tf.shape(images)[1:3] == size)
        found = tf.cond(same, lambda: images, other_size)
        return tf.ensure_shape(found, (None, *self.input_shape))

    def _checks(self, images: Any) -> list[Any]:
        checks = [tf.debugging.assert_all_finite(images, "Images are not finite.")]
        if self.expects_255:
            low, high = tf.reduce_min(images), tf.reduce_max(images)
            some = tf.size(images) > 0
            fraction = some & (high <= 1) & tf.reduce_any(images != tf.floor(images))
            message = "Images are RGB 0..255, before preprocessing; given are values"
            inside = ~some | ((low >= 0) & (high <= 255) & ~fraction)
            checks.append(tf.debugging.Assert(inside, [message, low, high]))
        return checks

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

        def other() -> Any:
            image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
            return tf.cast(image, "float32")

        def starts_with(magic: bytes) -> Any:
            return tf.equal(tf.strings.substr(encoded, 0, len(magic)), magic)

        image = tf.case(
            [(starts_with(_PNG), png), (starts_with(_JPEG), jpeg)], default=other
        )
        image = tf.ensure_shape(image, (None, None, 3))
        if self.input_shape[2] == 1:
            # Pillow's luma, ITU-R 601 in 16 bits.
            weights = tf.constant([19595, 38470, 7471], "int32")
            luma = tf.reduce_sum(tf.cast(image, "int32") * weights, -1, keepdims=True)
            return tf.cast((luma + 0x8000) // 0x10000, "float32")
        return image
