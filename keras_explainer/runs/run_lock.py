"""`RunLock`: one process at a time writes a run folder."""

from __future__ import annotations

from pathlib import Path

from keras_explainer.errors import RunError
from keras_explainer.folder_lock import FolderLock


class RunLock(FolderLock):
    """A `FolderLock` of a run.

    Args:
        path: the lock file in the run's folder, which exists.

    Raises:
        RunError: another process holds it (or this one, elsewhere), or it cannot be
            written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, f"The run folder {path.parent}", RunError)
