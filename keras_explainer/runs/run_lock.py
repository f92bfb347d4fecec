"""A lock file: one process at a time writes a run folder."""

from __future__ import annotations

from pathlib import Path

from keras_explainer.errors import RunError
from keras_explainer.file_lock import FileLock


class RunLock(FileLock):
    """A `FileLock` of a run folder.

    Args:
        path: the lock file; its folder exists.

    Raises:
        RunError: another process holds it (or this one, elsewhere), or it cannot be
            written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, f"The run folder {path.parent}", RunError)
