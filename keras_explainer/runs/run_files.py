"""Reading and writing the files of a run folder, with errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_explainer.errors import RunError, did_you_mean
from keras_explainer.runs.run_config import RunConfig

CONFIG, SPLIT = "config.json", "split.json"


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """A context in which a write that fails becomes a `RunError`."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"The run folder {folder} cannot be written: {error}. What was written "
            "before is kept: make room, or repair its permissions, and go on with "
            "resume=True (--resume)."
        ) from error


def read_run_config(folder: Path) -> RunConfig:
    """The configuration of a run folder.

    Raises:
        RunError: there is none, it is damaged, or another version's.
    """
    path = folder / CONFIG
    if not folder.exists():
        raise RunError(f"There is no run folder {folder}. {_neighbours(folder)}")
    if not folder.is_dir():
        raise RunError(f"{folder} is a file, not a run folder.")
    if not path.is_file():
        raise RunError(
            f"{folder} is no run folder: it has no {CONFIG}. {_neighbours(folder)}"
        )
    return RunConfig.from_dict(read_run_json(path, folder), str(path))


def is_run(folder: Path) -> bool:
    """Whether a folder with a `config.json` is a run, of any version or damaged."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return (folder / SPLIT).exists()
    return isinstance(config, dict) and {"schema_version", "explainer"} <= set(config)


def _neighbours(folder: Path) -> str:
    """The run folders beside, for a message."""
    parent = folder.parent
    try:
        runs = sorted(p.name for p in parent.iterdir() if (p / CONFIG).is_file())
    except OSError:
        runs = []
    if not runs:
        return "A run is made by `keras-explainer train --out FOLDER`."
    return did_you_mean(folder.name, runs)


def read_run_json(path: Path, folder: Path) -> Any:
    """The content of a JSON file of a run folder.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(
            f"The run {folder} is incomplete: it has no {path.name}. Learn it again "
            "(--overwrite), or copy the file there."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            f"{path} cannot be read ({error}). It is damaged: learn the run again "
            "(--overwrite), or put a copy there."
        ) from error


def foreign(path: Path) -> RunError:
    """The error of a JSON file of a run folder that holds something else."""
    return RunError(
        f"{path} does not hold what keras_explainer writes there. Learn the run again "
        "(--overwrite), or put a copy there."
    )
