"""Exports from JAX and PyTorch: files are handed to a process that runs TensorFlow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_explainer import errors
from keras_explainer.errors import ExportError, one_line
from keras_explainer.files import write_json
from keras_explainer.results import PartNames

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

EXPLAINER, TEACHER, NAMES = "explainer.keras", "teacher.keras", "part_names.json"
REQUEST, RESULT = "request.json", "result.json"
_ARRAYS = ("images", "warm_up")


def export_in_tensorflow(
    explainer: Explainer,
    path: Path,
    part_names: PartNames | None,
    **arguments: Any,
) -> Path:
    """As `saved_model`, by a process of its own with the TensorFlow backend.

    Explainer and teacher go there as `.keras` files, which are the same on every
    backend and are loaded in safe mode.

    Args:
        explainer, path, part_names: See `saved_model`.
        arguments: Its others.

    Raises:
        KerasExplainerError: As `saved_model`.
        ExportError: The process fails.
    """
    teacher = explainer.teacher
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        explainer.save(folder / EXPLAINER)
        teacher.model.save(folder / TEACHER)
        if part_names is not None:
            part_names.save_json(folder / NAMES)
        for key in _ARRAYS:
            arguments[key] = _handed_over(arguments[key], folder / f"{key}.npy")
        layer = teacher.preprocessing.layer
        request = {
            "path": str(path.absolute()),
            "arguments": arguments,
            "preprocessing": (
                teacher.preprocessing.mode
                if layer is None
                else keras.saving.serialize_keras_object(layer)
            ),
            "teacher": {
                "tap": teacher.tap,
                "targets": list(teacher.targets),
                "labels": None if teacher.labels is None else list(teacher.labels),
                "name": teacher.name,
                "source": teacher.source,
                "output": teacher.output,
                "input_shape": list(teacher.input_shape),
            },
        }
        write_json(folder / REQUEST, request)
        done = subprocess.run(
            [sys.executable, "-m", "keras_explainer.export.other_backend", name],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if not (folder / RESULT).exists():
            last = " ".join(done.stderr.strip().splitlines()[-3:])
            raise ExportError(
                "The process that exports by TensorFlow failed (exit status "
                f"{done.returncode}): {last or 'it said nothing'}."
            )
        result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    if "error" in result:
        raise getattr(errors, result["error"])(result["message"])
    return path / str(result["version"])


def _handed_over(given: Any, file: Path) -> Any:
    """Paths as absolute texts, arrays as a file that is named {"file": ...}."""
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        return str(Path(given).absolute())
    if isinstance(given, list) and all(
        isinstance(one, str | os.PathLike) for one in given
    ):
        return [str(Path(one).absolute()) for one in given]
    np.save(file, np.asarray(given), allow_pickle=False)
    return {"file": str(file)}


def main(folder: Path) -> None:
    """Exports what `export_in_tensorflow` has put into a folder, and says how it went.

    Args:
        folder: With the request and its files; gets the result.
    """
    from keras_explainer.explainer import load
    from keras_explainer.export import saved_model
    from keras_explainer.teachers import Teacher

    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    arguments = request["arguments"]
    try:
        try:
            model = keras.saving.load_model(folder / TEACHER, compile=False)
        except (ValueError, TypeError, OSError, KeyError) as error:
            raise ExportError(
                "The teacher's model cannot be loaded on TensorFlow: "
                f"{one_line(error)} Set KERAS_BACKEND=tensorflow, "
                "make teacher and explainer there and export them."
            ) from error
        given = request["preprocessing"]
        if isinstance(given, dict):
            given = keras.saving.deserialize_keras_object(given)
        teacher = Teacher(model, preprocessing=given, **request["teacher"])
        explainer = load(folder / EXPLAINER, teacher)
        for key in _ARRAYS:
            if isinstance(arguments[key], dict):
                arguments[key] = np.load(arguments[key]["file"], allow_pickle=False)
        names = folder / NAMES
        made = saved_model(
            explainer,
            request["path"],
            part_names=names if names.exists() else None,
            **arguments,
        )
        result: dict[str, Any] = {"version": int(made.name)}
    except errors.KerasExplainerError as error:
        result = {"error": type(error).__name__, "message": str(error)}
    write_json(folder / RESULT, result)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
