"""`BoundedReader`: a file that is never asked for more than it has."""

from __future__ import annotations

import io
import os


class BoundedReader(io.BufferedReader):
    """A file opened for reading, whose `read` makes no more room than it needs.

    Python takes memory for all the bytes that are asked for before it reads them, and
    decoders ask for what a file declares: a damaged PNG of 200 bytes for 4 GiB.

    Args:
        path: of the file.
        size: its bytes.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str], size: int) -> None:
        super().__init__(io.FileIO(path))
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes; all that follow for None or less than 0."""
        if size is not None and size > self._size:
            size = self._size
        return super().read(size)
