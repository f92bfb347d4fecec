"""The files below a folder, one after the other, in the same order each time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from keras_explainer.errors import DataError

logger = logging.getLogger(__name__)


def walk_files(root: Path, endings: tuple[str, ...]) -> Iterator[str]:
    """Paths relative to `root` with '/', folder by folder, sorted within each.

    Names that begin with '.' or '_' are passed over, as Spark does. Links to folders
    are not followed, which is logged. The names of one folder are in memory.

    Args:
        root: A folder, or one file.
        endings: Of the names, in small letters; none for all.

    Raises:
        DataError: A folder cannot be listed: its images would be missing.
    """
    if root.is_file():
        yield root.name
        return

    def unlisted(error: OSError) -> None:
        raise DataError(f"The folder {error.filename} cannot be listed: {error}.")

    for folder, folders, names in os.walk(root, onerror=unlisted):
        for name in [name for name in folders if os.path.islink(Path(folder, name))]:
            logger.warning("The link %s is not followed.", Path(folder, name))
        folders[:] = sorted(name for name in folders if not _hidden(name))
        relative = Path(folder).relative_to(root)
        for name in sorted(names):
            if not _hidden(name) and name.lower().endswith(endings or ("",)):
                yield (relative / name).as_posix()


def name_as_text(name: str) -> str:
    """A file's name as text that every file can hold, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _hidden(name: str) -> bool:
    return name.startswith((".", "_"))
