"""Loads what the zoo has, shipped, hosted or in a folder of one's own."""

from __future__ import annotations

import os
from pathlib import Path

from keras_explainer.errors import ZooError
from keras_explainer.explainer import Explainer
from keras_explainer.explainer import load as load_file
from keras_explainer.teachers import Teacher

from .zoo_entry import ROOT, ZooEntry
from .zoo_file import ZooFile

Registry = str | os.PathLike[str] | None


def load(name: str | ZooEntry, *, registry: Registry = None) -> Explainer:
    """An explainer that has been learned, with its teacher.

    Files are taken from the package or the registry, or downloaded once and kept (see
    `zoo_file.cache_folder`); what does not have the recorded sha256 is never loaded.

    Args:
        name: of the entry, one of `ZooEntry.names()`; or the entry.
        registry: a folder of entries of one's own (`zoo publish`); None for the zoo's.

    Raises:
        ZooError: no such entry; files that cannot be had or are others.
    """
    entry = _entry(name, registry)
    return load_file(
        ZooFile.of(entry.explainer).fetch(entry.folder), load_teacher(entry)
    )


def load_teacher(name: str | ZooEntry, *, registry: Registry = None) -> Teacher:
    """The teacher of an entry, frozen, cut as the record says.

    Args, raises: as for `load`.
    """
    entry = _entry(name, registry)
    record = entry.teacher
    path = ZooFile.of(record).fetch(entry.folder)
    try:
        settings = {key: record[key] for key in ("tap", "targets", "preprocessing")}
    except KeyError as error:
        raise ZooError(
            f"The teacher's record of {entry.name} lacks {error}."
        ) from error
    return Teacher.from_file(path, **settings, labels=record.get("labels"))


def _entry(name: str | ZooEntry, registry: Registry) -> ZooEntry:
    if isinstance(name, ZooEntry):
        return name
    root = ROOT if registry is None else Path(registry)
    cnns = {path.stem for path in (ROOT / "configs").glob("*.yaml")}
    if name not in ZooEntry.names(root) and name in cnns:
        raise ZooError(
            f"The zoo has the CNN {name}, but no explainer of it. Learn one: "
            f"keras-explainer zoo build {name} --data … --out …; its entries with "
            f"explainers: {', '.join(ZooEntry.names(root)) or 'none'}."
        )
    return ZooEntry(name, root)
