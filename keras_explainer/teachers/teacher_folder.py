"""A folder that holds a teacher: a model file, and a record of how it is cut."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from keras_explainer.errors import TeacherError

RECORD = "teacher.json"


def is_teacher_folder(path: str | PathLike[str]) -> bool:
    """Whether a folder has the record of a teacher."""
    return (Path(path) / RECORD).is_file()


def read_teacher_folder(path: str | PathLike[str]) -> tuple[Path, dict[str, Any]]:
    """The model's file and the record of a teacher's folder.

    Args:
        path: the folder, with `teacher.json` (`file`, `sha256`, `tap`, `targets`,
            `preprocessing`, `labels`) and the model beside it.

    Raises:
        TeacherError: no such record, a damaged one, or one that names a file elsewhere.
    """
    folder = Path(path)
    place = folder / RECORD
    try:
        record = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TeacherError(
            f"'{folder}' holds no teacher: it has no {RECORD}. One is made by "
            "`keras-explainer teacher fit`."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise TeacherError(f"'{place}' cannot be read: {error}") from error
    wanted = ("file", "sha256", "tap", "targets", "preprocessing")
    if not isinstance(record, dict) or (
        missing := [key for key in wanted if key not in record]
    ):
        lacks = missing if isinstance(record, dict) else list(wanted)
        raise TeacherError(f"'{place}' is no record of a teacher: it lacks {lacks}.")
    name = record["file"]
    if not isinstance(name, str) or Path(name).name != name or name.startswith("."):
        raise TeacherError(
            f"'{place}' names the file {name!r}; a file in the same folder is accepted."
        )
    return folder / name, record
