"""`DatasetInput`: what every kind of dataset can do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from keras_explainer.batch_inference.image_row import ImageRow
from keras_explainer.batch_inference.shard import Shard


class DatasetInput(Protocol):
    """Images in files, listed in the same order each time, read shard by shard.

    Nothing is held but the names in one folder and one batch of images.
    """

    @property
    def kind(self) -> str:
        """ "images", "parquet" or "tfrecord"."""
        ...

    def count(self) -> int:
        """Images that can be counted; files that cannot be read count 1."""
        ...

    def shards(self, rows: int) -> Iterator[Shard]:
        """All images, in shards of about `rows`, numbered from 0."""
        ...

    def read(self, shard: Shard) -> Iterator[ImageRow]:
        """The images of a shard.

        Raises:
            UnreadableShardError: In the middle, where the rest cannot be read.
        """
        ...


def pieces(start: int, count: int, rows: int) -> Iterator[tuple[int, int]]:
    """(start, count) of about equal pieces of at most `rows`."""
    number = math.ceil(count / rows)
    for at in range(number):
        first, last = count * at // number, count * (at + 1) // number
        yield start + first, last - first
