"""Answers row by row: a batch of any size, and rows that are wrong marked as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

BROKEN = "The networks give NaN or infinity for this image."
_WRONG = {tf.string: "", tf.bool: False, tf.int32: -1, tf.float32: float("nan")}


def by_row(
    function: Callable[..., dict[str, Any]], status: Any, *inputs: Any
) -> dict[str, Any]:
    """What a function gives, with a status for each row.

    Args:
        function: From tensors (n, ...), n at least 1, to outputs (n, ...).
        status: (n,) text, empty for rows that are right.
        inputs: (n, ...) for the function, finite also in rows that are wrong.

    Returns:
        The outputs and `status`. In rows that are wrong floats are NaN, whole numbers
        -1, texts empty and booleans False. NaN or infinity in an output makes its row
        wrong.
    """
    count = tf.shape(status)[0]
    # Convolutions of oneDNN fail on an empty batch: it is answered as one row of zeros,
    # of which nothing is kept.
    lacking = tf.maximum(1 - count, 0)
    filled = [
        tf.pad(value, [[0, lacking], *[[0, 0]] * (value.shape.rank - 1)])
        for value in inputs
    ]
    found = {name: value[:count] for name, value in function(*filled).items()}
    finite = [
        tf.reduce_all(tf.math.is_finite(value), range(1, value.shape.rank))
        for value in found.values()
        if value.dtype.is_floating
    ]
    broken = tf.equal(status, "") & ~tf.reduce_all(finite, axis=0)
    status = tf.where(broken, BROKEN, status)
    right = tf.equal(status, "")
    # A target may have the name.
    return {"status": status} | {
        name: tf.where(
            tf.reshape(right, (-1, *[1] * (value.shape.rank - 1))),
            value,
            _WRONG[value.dtype],
        )
        for name, value in found.items()
    }
