"""`ImageFiles`: a dataset of image files in folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from keras_explainer.batch_inference.file_walk import name_as_text, walk_files
from keras_explainer.batch_inference.image_row import MAX_BYTES, ImageRow, image_row
from keras_explainer.batch_inference.shard import Shard
from keras_explainer.datasets.containment import resolve_inside
from keras_explainer.datasets.image_reader import EXTENSIONS
from keras_explainer.errors import DataError


class ImageFiles:
    """All image files below a folder; `image_id` is the path in it.

    Args:
        root: The folder, or one file.
    """

    kind = "images"
    endings = EXTENSIONS

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root.parent if root.is_file() else root

    def count(self) -> int:
        """Number of files."""
        return sum(1 for _ in walk_files(self.root, self.endings))

    def shards(self, rows: int) -> Iterator[Shard]:
        """See `DatasetInput`."""
        number, files = 0, []
        for file in walk_files(self.root, self.endings):
            files.append(file)
            if len(files) == rows:
                yield Shard(number=number, count=rows, files=tuple(files))
                number, files = number + 1, []
        if files:
            yield Shard(number=number, count=len(files), files=tuple(files))

    def read(self, shard: Shard) -> Iterator[ImageRow]:
        """See `DatasetInput`; a file that cannot be read is a row with a fault."""
        for row, file in enumerate(shard.files):
            name = name_as_text(file)
            try:
                yield image_row(row, name, self._bytes(file))
            except OSError as error:
                why = f"The file cannot be read: {error.strerror or error}."
                yield ImageRow(row=row, image_id=name, fault=why)
            except DataError as error:
                yield ImageRow(row=row, image_id=name, fault=f"The file {error}.")

    def _bytes(self, file: str) -> bytes:
        path = resolve_inside(self.folder, file)
        status = os.stat(path)
        # Reading from a pipe would wait for ever.
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is not a regular file")
        if status.st_size > MAX_BYTES:
            raise DataError(f"has {status.st_size} bytes, more than {MAX_BYTES}")
        return path.read_bytes()
