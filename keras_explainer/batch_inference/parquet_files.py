"""`ParquetFiles`: a dataset of Parquet files with a column of encoded images."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from keras_explainer.batch_inference.dataset_input import pieces
from keras_explainer.batch_inference.file_walk import name_as_text, walk_files
from keras_explainer.batch_inference.image_row import ImageRow, image_row
from keras_explainer.batch_inference.shard import Shard, UnreadableShardError
from keras_explainer.errors import ConfigError, DataError, did_you_mean, one_line

logger = logging.getLogger(__name__)

ID_COLUMNS = ("image_id", "id", "path", "file_name", "filename", "key")
_BATCH, _BUFFER = 32, 1 << 20
_FAULTS = (OSError, pa.ArrowException)


class ParquetFiles:
    """Parquet files; a row is an image.

    Args:
        root: A file, or a folder with files at any depth.
        image_column: Of encoded images: bytes, or a struct with a field `bytes`; None
            for the only one of the first file.
        id_column: Of texts or whole numbers; None for one of `ID_COLUMNS`, or else
            `FILE:ROW`.

    Raises:
        DataError, ConfigError: No file can be read; no such columns.
    """

    kind = "parquet"
    endings = (".parquet", ".parq", ".pq")

    def __init__(
        self, root: Path, image_column: str | None, id_column: str | None
    ) -> None:
        self.root = root
        self.folder = root.parent if root.is_file() else root
        if image_column is None or id_column is None:
            schema = self._first_schema()
            image_column = image_column or _only_image_column(schema)
            known = (name for name in ID_COLUMNS if name in schema.names)
            id_column = id_column or next(known, "")
        self.image_column = image_column
        self.id_column = id_column

    def count(self) -> int:
        """Rows of all files, by their footers."""
        found = 0
        for file in walk_files(self.root, self.endings):
            try:
                found += self._metadata(file).num_rows
            except _FAULTS:
                found += 1
        return found

    def shards(self, rows: int) -> Iterator[Shard]:
        """See `DatasetInput`; a shard lies in one row group, as far as possible."""
        number = 0
        for file in walk_files(self.root, self.endings):
            try:
                about = self._metadata(file)
            except _FAULTS as error:
                logger.warning("%s cannot be read: %s", file, error)
                yield Shard(number=number, path=file, count=None)
                number += 1
                continue
            start = 0
            for group in range(about.num_row_groups):
                here = about.row_group(group).num_rows
                for first, count in pieces(start, here, rows):
                    yield Shard(number=number, path=file, start=first, count=count)
                    number += 1
                start += here

    def read(self, shard: Shard) -> Iterator[ImageRow]:
        """See `DatasetInput`."""
        at = shard.start
        try:
            with self._open(shard.path) as file:
                self._check(file.schema_arrow)
                for row in self._rows(file, shard):
                    yield row
                    at = row.row + 1
                stop = file.metadata.num_rows
        except _FAULTS as error:
            raise UnreadableShardError(one_line(error, 500), at) from error
        if shard.count is not None and at < shard.start + shard.count:
            raise UnreadableShardError(
                f"It has {stop} rows now, fewer than when the job was planned.", at
            )

    def _rows(self, file: pq.ParquetFile, shard: Shard) -> Iterator[ImageRow]:
        end = file.metadata.num_rows
        if shard.count is not None:
            end = min(end, shard.start + shard.count)
        groups, row = _groups(file.metadata, shard.start, end)
        columns = [self.image_column, *([self.id_column] if self.id_column else [])]
        for batch in file.iter_batches(_BATCH, row_groups=groups, columns=columns):
            if row + len(batch) > shard.start:
                yield from self._of_batch(batch, row, shard, end)
            row += len(batch)
            if row >= end:
                return

    def _of_batch(
        self, batch: pa.RecordBatch, row: int, shard: Shard, end: int
    ) -> Iterator[ImageRow]:
        images = batch.column(self.image_column)
        if pa.types.is_struct(images.type):
            images = pc.struct_field(images, "bytes")
        names = batch.column(self.id_column) if self.id_column else None
        for at in range(max(0, shard.start - row), min(len(batch), end - row)):
            name = None if names is None else names[at].as_py()
            if name is None:
                name = f"{name_as_text(shard.path)}:{row + at}"
            yield image_row(row + at, str(name), images[at].as_py())

    def _check(self, schema: pa.Schema) -> None:
        for name in (self.image_column, self.id_column):
            if name and name not in schema.names:
                raise pa.ArrowInvalid(
                    f"It has no column {name!r}, only {', '.join(schema.names)}"
                )
        if not _is_image(schema.field(self.image_column).type):
            kind = schema.field(self.image_column).type
            raise pa.ArrowInvalid(f"Its column {self.image_column!r} is of {kind}")

    def _metadata(self, file: str) -> pq.FileMetaData:
        return pq.read_metadata(self.folder / file)

    def _open(self, file: str) -> pq.ParquetFile:
        # Page by page: a row group of images may have gigabytes.
        return pq.ParquetFile(self.folder / file, buffer_size=_BUFFER, pre_buffer=False)

    def _first_schema(self) -> pa.Schema:
        last: Any = "there is none"
        for file in walk_files(self.root, self.endings):
            try:
                return pq.read_schema(self.folder / file)
            except _FAULTS as error:
                last = one_line(error, 500)
        raise DataError(f"No Parquet file of {self.root} can be read: {last}.")


def _only_image_column(schema: pa.Schema) -> str:
    found = [field.name for field in schema if _is_image(field.type)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise DataError(
            "The Parquet file has no column of bytes (or a struct with `bytes`) for "
            f"the images; it has {', '.join(schema.names)}."
        )
    raise ConfigError(
        f"The Parquet file has several columns of bytes: say which has the images "
        f"(image_column). {did_you_mean('image', found)}"
    )


def _is_image(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        names = [kind.field(at).name for at in range(kind.num_fields)]
        return "bytes" in names and _is_image(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _groups(about: pq.FileMetaData, start: int, end: int) -> tuple[list[int], int]:
    """The row groups that hold rows from `start` to `end`, and their first row."""
    groups: list[int] = []
    first, row = start, 0
    for group in range(about.num_row_groups):
        following = row + about.row_group(group).num_rows
        if following > start and row < end:
            if not groups:
                first = row
            groups.append(group)
        row = following
    return groups, first
