"""The orientation that a camera notes in a JPEG, read inside a TensorFlow graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

_SEARCHED = 65_536
"""Bytes at the file's start; an APP1 segment, mostly the first, is no longer."""
_MARK = b"Exif\0\0"
_ORIENTATION = 0x0112


def exif_orientation(encoded: Any) -> Any:
    """1..8 by the EXIF block of an encoded JPEG; 1 where there is none, or damaged.

    Args:
        encoded: The file's bytes, a scalar.
    """
    start = tf.strings.substr(encoded, 0, _SEARCHED)
    data = tf.cast(tf.io.decode_raw(start, "uint8"), "int32")
    # Zeros behind the end: whatever a damaged block points to can be read.
    size = tf.size(data)
    data = tf.pad(data, [[0, 16]])
    here = tf.reduce_all(
        [data[at : at + size] == byte for at, byte in enumerate(_MARK)], axis=0
    )
    there = tf.reduce_any(here)
    tiff = tf.argmax(tf.cast(here, "int32"), output_type="int32") + len(_MARK)
    little = data[tf.minimum(tiff, size)] == ord("I")

    def number(at: Any, bytes_: int) -> Any:
        """An unsigned whole number; large ones are cut, which leads nowhere either."""
        places = tf.clip_by_value(at[..., None] + tf.range(bytes_), 0, size)
        values = tf.gather(data, places)
        values = tf.where(little, tf.reverse(values, [-1]), values)
        powers = tf.constant([256**p for p in reversed(range(bytes_))], "int32")
        return tf.reduce_sum(values * powers, axis=-1)

    folder = tiff + tf.clip_by_value(number(tiff + 4, 4), 0, size)
    count = tf.minimum(number(folder, 2), size // 12)
    entries = folder + 2 + 12 * tf.range(count)
    found = number(entries, 2) == _ORIENTATION
    entry = tf.boolean_mask(entries, found)[:1]
    value = tf.reduce_sum(number(entry + 8, 2))
    valid = there & (value >= 1) & (value <= 8)
    return tf.where(valid, value, 1)


def upright(image: Any, orientation: Any) -> Any:
    """The image (h, w, C) as it is to be looked at.

    Args:
        image: As it is stored.
        orientation: 1..8.
    """

    def turned(transpose: bool, down: bool, right: bool) -> Any:
        def turn() -> Any:
            found = tf.transpose(image, (1, 0, 2)) if transpose else image
            axes = [axis for axis, flip in ((0, down), (1, right)) if flip]
            return tf.reverse(found, axes) if axes else found

        return turn

    # By EXIF: (transposed, then flipped top to bottom, left to right).
    kinds = (
        *((False, False, False), (False, False, True), (False, True, True)),
        *((False, True, False), (True, False, False), (True, False, True)),
        *((True, True, True), (True, True, False)),
    )
    found = tf.switch_case(orientation - 1, [turned(*kind) for kind in kinds])
    return tf.ensure_shape(found, (None, None, image.shape[-1]))
