"""Loads what the zoo has, shipped or hosted, by the same way."""

from __future__ import annotations

from keras_explainer.errors import ZooError
from keras_explainer.explainer import Explainer
from keras_explainer.explainer import load as load_file
from keras_explainer.teachers import Teacher

from .zoo_entry import ZooEntry
from .zoo_file import ZooFile


def load(name: str | ZooEntry) -> Explainer:
    """An explainer that has been learned, with its teacher.

    Files are taken from the package, or downloaded once and kept (see
    `zoo_file.cache_folder`); what does not have the recorded sha256 is never loaded.

    Args:
        name: of the entry, one of `ZooEntry.names()`; or the entry.

    Raises:
        ZooError: no such entry; files that cannot be had or are others.
    """
    entry = ZooEntry(name) if isinstance(name, str) else name
    return load_file(
        ZooFile.of(entry.explainer).fetch(entry.folder), load_teacher(entry)
    )


def load_teacher(name: str | ZooEntry) -> Teacher:
    """The teacher of an entry, frozen, cut as the record says.

    Args, raises: as for `load`.
    """
    entry = ZooEntry(name) if isinstance(name, str) else name
    record = entry.teacher
    path = ZooFile.of(record).fetch(entry.folder)
    try:
        settings = {key: record[key] for key in ("tap", "targets", "preprocessing")}
    except KeyError as error:
        raise ZooError(
            f"The teacher's record of {entry.name} lacks {error}."
        ) from error
    return Teacher.from_file(path, **settings, labels=record.get("labels"))
