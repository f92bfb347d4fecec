"""The rows of a shard, in batches and explained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from keras_explainer.batch_inference.dataset_input import DatasetInput
from keras_explainer.batch_inference.dataset_row import UNREADABLE, DatasetRow
from keras_explainer.batch_inference.file_walk import name_as_text
from keras_explainer.batch_inference.image_row import ImageRow
from keras_explainer.batch_inference.shard import Shard, UnreadableShardError
from keras_explainer.results import Explanation

BATCH_BYTES = 64 * 2**20
"""Of the encoded images of a batch at most; one image may be larger."""


class Explains(Protocol):
    """A model, see `SavedModelProgram`."""

    def explain(self, images: list[bytes]) -> list[Explanation | str]:
        """Of each image its explanation, or why there is none."""
        ...


def image_batches(
    given: DatasetInput, shard: Shard, size: int
) -> Iterator[list[ImageRow] | DatasetRow]:
    """Batches of the shard's images; last, where the rest cannot be read, its row."""
    batch: list[ImageRow] = []
    held = 0
    try:
        for row in given.read(shard):
            if batch and (len(batch) == size or held + len(row.data) > BATCH_BYTES):
                yield batch
                batch, held = [], 0
            batch.append(row)
            held += len(row.data)
    except UnreadableShardError as error:
        if batch:
            yield batch
        yield unreadable_row(shard, error.row, str(error))
        return
    if batch:
        yield batch


def shard_results(
    program: Explains, given: DatasetInput, shard: Shard, size: int
) -> list[DatasetRow]:
    """All rows of a shard, in its order, a bad image with its error."""
    rows: list[DatasetRow] = []
    for batch in image_batches(given, shard, size):
        if isinstance(batch, DatasetRow):
            rows.append(batch)
            continue
        good = [row.data for row in batch if row.fault is None]
        answers = iter(program.explain(good) if good else [])
        rows += [
            DatasetRow.of(
                shard.number,
                row.row,
                row.image_id,
                next(answers) if row.fault is None else row.fault,
            )
            for row in batch
        ]
    return rows


def unreadable_row(shard: Shard, row: int, why: str) -> DatasetRow:
    """The row that stands for all of a shard from `row` on."""
    first = shard.files[min(row, len(shard.files) - 1)] if shard.files else shard.path
    return DatasetRow(
        image_id=name_as_text(first),
        shard=shard.number,
        row=row,
        status=UNREADABLE,
        error=why,
    )
