"""`ImageInput`: images of any size, and encoded ones, inside a TensorFlow graph.

Bilinear with antialias and whole values, as `datasets.ImageReader` does it by Pillow.
Few resized values differ, by one level.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from keras_explainer.export.encoded_images import EncodedImages

NO_PIXELS = "The image has no pixels."
NOT_FINITE = "The image has NaN or infinite values."


class ImageInput:
    """Makes what a server gets into what a teacher takes.

    An image that a teacher would give silently wrong features for becomes 0, and its
    status says what is wrong; the other images of the batch stay right.

    Args:
        input_shape: The teacher's (H, W, C).
        expects_255: Whether values below 0 or above 255 are refused.
    """

    def __init__(self, input_shape: tuple[int, int, int], expects_255: bool) -> None:
        self.input_shape = input_shape
        self.expects_255 = expects_255
        self.decoded = EncodedImages(input_shape, self._resize)

    @property
    def can_decode(self) -> bool:
        """Whether encoded images can be had in the teacher's channels."""
        return self.input_shape[2] in (1, 3)

    def resized(self, images: Any) -> tuple[Any, Any]:
        """Images (n, H, W, C) of the teacher's size, and their status, (n,) text.

        Args:
            images: (n, h, w, C), float32, RGB 0..255. Those that have the size are not
                touched.
        """
        sides = tf.cast(tf.shape(images)[1:3], "int64")
        pixels = tf.reduce_prod(sides)
        fitting = tf.logical_and(pixels > 0, pixels <= self.decoded.max_pixels)
        status = tf.cond(
            fitting,
            lambda: self._status(images),
            lambda: tf.fill(
                tf.shape(images)[:1],
                tf.where(pixels > 0, self.decoded.too_large(pixels), NO_PIXELS),
            ),
        )
        found = tf.cond(
            fitting,
            lambda: self._resize(images),
            lambda: tf.zeros(
                tf.concat([tf.shape(images)[:1], self.input_shape], axis=0)
            ),
        )
        right = tf.equal(status, "")[:, None, None, None]
        return tf.where(right, found, 0.0), status

    def _resize(self, images: Any) -> Any:
        size = self.input_shape[:2]

        def other_size() -> Any:
            # As Pillow: along the rows, then along the columns, whole values each time.
            found = images
            for sides in ((tf.shape(images)[1], size[1]), size):
                found = tf.image.resize(found, sides, "bilinear", antialias=True)
                found = tf.floor(found + 0.5)
            return found

        same = tf.reduce_all(tf.shape(images)[1:3] == size)
        found = tf.cond(same, lambda: images, other_size)
        return tf.ensure_shape(found, (None, *self.input_shape))

    def _status(self, images: Any) -> Any:
        axes = (1, 2, 3)
        finite = tf.reduce_all(tf.math.is_finite(images), axes)
        status = tf.where(finite, "", NOT_FINITE)
        if not self.expects_255:
            return status
        low, high = tf.reduce_min(images, axes), tf.reduce_max(images, axes)
        whole = tf.reduce_all(tf.equal(images, tf.floor(images)), axes)
        outside = (low < 0) | (high > 255) | ((high <= 1) & ~whole)
        lie_in = tf.strings.join(
            [
                "The image's values lie in ",
                tf.strings.as_string(low, shortest=True),
                "..",
                tf.strings.as_string(high, shortest=True),
                "; RGB 0..255, before preprocessing, is needed.",
            ]
        )
        return tf.where(finite & outside, lie_in, status)


def not_finite(features: Any) -> tuple[Any, Any]:
    """Features (n, H, W, C) with 0 for rows that are not finite, and their status."""
    finite = tf.reduce_all(tf.math.is_finite(features), (1, 2, 3))
    status = tf.where(finite, "", "The features have NaN or infinite values.")
    return tf.where(finite[:, None, None, None], features, 0.0), status
