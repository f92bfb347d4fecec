"""Drawn images as a `tf.data` dataset; the one file here that needs TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .creature_images import CreatureImages


def dataset(
    batches: Callable[[], Iterable[CreatureImages]],
    image_size: tuple[int, int],
    count: int,
    batch_size: int,
) -> Any:
    """A dataset of (images, labels) that can be read again and again.

    Args:
        batches: gives the images from the beginning.
        image_size: (height, width).
        count: images in all.
        batch_size: images in each batch but the last.
    """
    import tensorflow as tf

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in batches():
            yield batch.images, batch.labels

    signature = (
        tf.TensorSpec((None, *image_size, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int64),
    )
    made = tf.data.Dataset.from_generator(pairs, output_signature=signature)
    return made.apply(tf.data.experimental.assert_cardinality(-(-count // batch_size)))
