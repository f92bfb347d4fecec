"""Puts a run into a registry folder, from where `load` takes it by name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from keras_explainer.errors import ConfigError, ZooError
from keras_explainer.files import atomic_folder, write_json, write_text
from keras_explainer.runs import RunFolder, current_versions
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.fingerprint import file_sha256

from .model_cards import model_card
from .zoo_entry import EXPLAINER, TEACHER, ZooEntry

CARD = "MODEL_CARD.md"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def publish(
    run: str | os.PathLike[str],
    registry: str | os.PathLike[str],
    name: str,
    *,
    licence: str,
    version: str = "1",
    teacher: Teacher | None = None,
    overwrite: bool = False,
) -> ZooEntry:
    """Copies a complete run's explainer and teacher to `registry/name`.

    Both files, their records with sha256 and figures, and a generated model card are
    written beside their place and moved there together.

    Args:
        run: a run folder; `metrics.json` in it gives the figures.
        registry: a folder of entries; made if need be.
        name: of the entry: letters, digits, `.`, `_`, `-`.
        licence: of the explainer.
        version: of the entry.
        teacher: where it cannot be made from its source.
        overwrite: replace an entry that is there.

    Returns:
        The entry; `load(name, registry=registry)` loads it.

    Raises:
        ConfigError: a name with a path or other signs, no licence.
        RunError: no complete run.
        ZooError: the entry is there already, the teacher has no layers to be saved, or
            the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} is no name of an entry: letters, digits, '.', '_' and '-' are "
            "accepted, no path."
        )
    if not licence.strip():
        raise ConfigError("An entry needs a licence: say what others may do with it.")
    root = Path(registry)
    place = root / name
    if place.exists() and not overwrite:
        raise ZooError(f"{place} is there already: choose another name or --overwrite.")
    opened = RunFolder.open(run)
    explainer = opened.load_explainer(teacher)
    made = explainer.teacher
    if not made.has_upper:
        raise ZooError(
            f"The teacher {made.name} is a SavedModel, which cannot be saved as a "
            "Keras model: keep the run itself, and the SavedModel beside it."
        )
    metrics = dict(opened.metrics or {})
    if "data" in metrics:
        # Where the images lay is nobody's business.
        metrics["data"] = {**metrics["data"], "directory": None}
    facts = opened.config.facts
    try:
        with atomic_folder(place, replace=overwrite) as new:
            made.model.save(new / "teacher.keras")
            explainer.save(new / "explainer.keras")
            common = {"name": name, "version": version, **_training(opened)}
            records: dict[str, dict[str, Any]] = {
                TEACHER: {
                    **_file(new / "teacher.keras"),
                    **common,
                    "network": made.name,
                    "params": made.model.count_params(),
                    "input_shape": list(made.input_shape),
                    "preprocessing": made.preprocessing.mode,
                    "labels": made.labels,
                    "tap": made.tap,
                    "tap_shape": list(made.tap_shape),
                    "targets": list(made.targets),
                    "licence": "that of its weights",
                    "figures": {
                        "accuracy": (metrics.get("teacher") or {}).get("accuracy")
                    },
                },
                EXPLAINER: {
                    **_file(new / "explainer.keras"),
                    **common,
                    "licence": licence,
                    "teacher": TEACHER,
                    "filters": explainer.filters,
                    "data": {
                        "category": opened.config.data.category,
                        "train_images": None if facts is None else facts.train_images,
                        "test_images": (metrics.get("data") or {}).get("images"),
                    },
                    "metrics": metrics or None,
                },
            }
            for file, record in records.items():
                write_json(new / file, record)
            card = model_card(records[TEACHER], records[EXPLAINER])
            write_text(new / CARD, card)
    except OSError as error:
        raise ZooError(f"{place} cannot be written: {error}.") from error
    return ZooEntry(name, root)


def _file(path: Path) -> dict[str, Any]:
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
    }


def _training(run: RunFolder) -> dict[str, Any]:
    return {
        "training": {
            "command": "keras-explainer train",
            "seed": run.config.explainer.seed,
            **current_versions(),
            **run.config.versions,
        }
    }
