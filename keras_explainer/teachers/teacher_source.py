"""Where a teacher comes from, as JSON-able data, and how it is had again."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError, did_you_mean
from keras_explainer.teachers import applications
from keras_explainer.teachers.fingerprint import file_sha256
from keras_explainer.teachers.model_archive import load_model_archive, reason
from keras_explainer.teachers.networks.matconvnet import load_matconvnet

# Kinds of source, and the key of each that holds the path of its file.
KINDS = {"applications": "weights", "file": "path", "keras_hub": "preset"}
_PLACES = set(KINDS.values())

Made = tuple[keras.Model, str, dict[str, Any]]


def application(
    name: str,
    weights: str | PathLike[str] | None,
    input_shape: Sequence[int] | None,
    preprocessing: str | None,
    arguments: dict[str, Any],
    *,
    sha256: str | None = None,
) -> Made:
    """A network of keras.applications with its weights.

    Args:
        name, weights, input_shape, preprocessing, arguments: As for
            `Teacher.from_applications`.
        sha256: What the weights file must have, if it is known.

    Returns:
        The model, its preprocessing mode, and its source without the choice of layers.

    Raises:
        TeacherError: As for `Teacher.from_applications`.
    """
    shape = None if input_shape is None else tuple(int(s) for s in input_shape)
    recorded = json_able(arguments, "The constructor's arguments")
    mode = preprocessing
    if mode is None:
        if arguments.get("include_preprocessing") is False:
            raise TeacherError(
                "With include_preprocessing=False the network's own preprocessing is "
                "off: give preprocessing=."
            )
        mode = applications.preprocessing_mode(name)
    path = None
    if weights is not None and weights != "imagenet":
        path = checked_path(weights, (".h5", ".keras", ".mat"), "The weights file")
        sha256 = check_hash(path, sha256)
    model = applications.build_application(name, shape, arguments)
    if path is not None:
        described = ", ".join(f"{k}={v!r}" for k, v in arguments.items())
        if path.suffix == ".mat":
            load_matconvnet(model, path, mode)
        else:
            load_weights_file(model, path, f"{name}({described})")
    elif weights == "imagenet":
        applications.imagenet_weights(name, model, shape, arguments)
    source = {
        "kind": "applications",
        "name": name,
        "arguments": recorded,
        "weights": str(path) if path else weights,
        "sha256": sha256 if path else None,
        "input_shape": None if shape is None else list(shape),
        "preprocessing": json_able(preprocessing, "The preprocessing"),
    }
    return model, mode, source


def model_file(
    path: str | PathLike[str],
    preprocessing: str,
    input_shape: Sequence[int] | None,
    custom_objects: dict[str, Any] | None = None,
    *,
    sha256: str | None = None,
) -> Made:
    """A model in a file.

    Args:
        path, preprocessing, input_shape, custom_objects: As for `Teacher.from_file`.
        sha256: What the file must have, if it is known.

    Returns:
        As for `application`.

    Raises:
        TeacherError: As for `Teacher.from_file`.
    """
    file = checked_path(path, (".keras", ".h5"), "The model file")
    source = {
        "kind": "file",
        "path": str(file),
        "sha256": check_hash(file, sha256),
        "input_shape": None if input_shape is None else list(input_shape),
        "preprocessing": json_able(preprocessing, "The preprocessing"),
    }
    return load_model_file(file, custom_objects), preprocessing, source


def rebuild(source: Any, path: str | PathLike[str] | None = None) -> Made:
    """What a source describes, with the file at `path` if it has been moved.

    Raises:
        TeacherError: As for `Teacher.from_source`.
    """
    if not isinstance(source, dict) or "kind" not in source:
        raise TeacherError(
            "A source is the dict `teacher.source` of a teacher made by "
            f"from_applications or from_file, got {source!r}."
        )
    kind = source["kind"]
    if kind not in KINDS:
        raise TeacherError(
            f"Unknown kind of source '{kind}'. {did_you_mean(kind, KINDS)}"
        )
    wanted = {"input_shape", "preprocessing", "sha256", KINDS[kind]}
    if kind == "applications":
        wanted |= {"name", "arguments"}
    if missing := sorted(wanted - set(source)):
        raise TeacherError(f"The source {source!r} is incomplete: {missing} missing.")
    file = source[KINDS[kind]] if path is None else path
    if file is None:
        raise TeacherError(
            "This teacher had random weights, which cannot be had again. Save "
            "teacher.model to a .keras file and use Teacher.from_file."
        )
    shape, mode, sha256 = (
        source[key] for key in ("input_shape", "preprocessing", "sha256")
    )
    if kind == "applications":
        return application(
            source["name"], file, shape, mode, source["arguments"], sha256=sha256
        )
    if kind == "keras_hub":
        return keras_hub_preset(str(file), mode, shape)
    return model_file(file, mode, shape, sha256=sha256)


def without_folder(source: dict[str, Any] | None) -> dict[str, Any] | None:
    """A source, of any kind, with the names of its files alone."""
    if source is None:
        return None
    return {
        key: Path(value).name if key in _PLACES and _is_absolute(value) else value
        for key, value in source.items()
    }


def _is_absolute(place: Any) -> bool:
    # A handle or preset that is no folder ('hf://user/model') stays as it is.
    return isinstance(place, str) and Path(place).is_absolute()


def keras_hub_preset(
    preset: str, preprocessing: str, input_shape: Sequence[int] | None
) -> Made:
    """A model of keras-hub.

    Args:
        preset, preprocessing, input_shape: As for `Teacher.from_keras_hub`.

    Raises:
        TeacherError: As for `Teacher.from_keras_hub`.
    """
    try:
        import keras_hub
    except ImportError as error:
        raise TeacherError(
            "A preset of keras-hub needs it: install keras-explainer[keras-hub]."
        ) from error
    try:
        model = keras_hub.models.Backbone.from_preset(preset)
    except Exception as error:
        raise TeacherError(
            f"The preset '{preset}' cannot be had: {reason(error)} Without a network "
            "give the folder of a preset that was saved with save_to_preset."
        ) from error
    folder = Path(preset).expanduser()
    source = {
        "kind": "keras_hub",
        "preset": str(folder.resolve()) if folder.is_dir() else preset,
        "sha256": None,
        "input_shape": None if input_shape is None else list(input_shape),
        "preprocessing": json_able(preprocessing, "The preprocessing"),
    }
    return model, preprocessing, source


def json_able(content: Any, what: str) -> Any:
    """`content` as JSON would give it back.

    Raises:
        TeacherError: It cannot be written as JSON.
    """
    try:
        return json.loads(json.dumps(content))
    except (TypeError, ValueError) as error:
        raise TeacherError(
            f"{what} {content!r} cannot be recorded as JSON ({error}), so the teacher "
            "could not be had again. Build the model yourself and use Teacher(model)."
        ) from error


def checked_path(path: Any, kinds: tuple[str, ...], what: str) -> Path:
    """The path of an existing file of an accepted kind.

    Raises:
        TeacherError: It does not exist, is a folder, or ends otherwise.
    """
    file = Path(path).expanduser()
    if not file.exists():
        raise TeacherError(f"{what} '{path}' does not exist.")
    if file.is_dir():
        raise TeacherError(f"{what} '{path}' is a folder, not a file.")
    if not file.name.endswith(kinds):
        raise TeacherError(
            f"{what} '{path}' must end in one of {', '.join(kinds)}. A SavedModel "
            "keeps no layers to cut: save the model as .keras."
        )
    return file.resolve()


def check_hash(path: Path, expected: str | None) -> str:
    """The file's sha256, compared with the recorded one.

    Raises:
        TeacherError: They differ.
    """
    found = file_sha256(path)
    if expected is not None and found != expected:
        raise TeacherError(
            f"'{path}' is not the file that the teacher was made from: its sha256 is "
            f"{found[:16]}…, recorded was {expected[:16]}…. Put the recorded file "
            "back, or make the teacher anew and learn from it again."
        )
    return found


def load_model_file(path: Path, custom_objects: dict[str, Any] | None) -> keras.Model:
    """Loads a .keras or .h5 model in safe mode, without its compile state.

    Raises:
        TeacherError: The file cannot be read as a model.
    """
    try:
        return load_model_archive(path, custom_objects)
    except Exception as error:
        why = reason(error)
        hint = ""
        if "ambda" in why and "safe" in why:
            hint = (
                " Such code is not run from a file: load the model yourself if you "
                "trust it, and use Teacher(model)."
            )
        elif "locate class" in why or "Unknown layer" in why:
            hint = " Give the missing class in custom_objects, or register it."
        elif "weights" in path.name:
            hint = (
                " A file of weights holds no layers: use Teacher.from_applications"
                "(..., weights=path), or load it into your model."
            )
        raise TeacherError(f"'{path}' cannot be loaded: {why}{hint}") from error


def load_weights_file(model: keras.Model, path: Path, description: str) -> None:
    """Loads a weights file into a fresh model.

    Raises:
        TeacherError: The weights do not fit, or leave a layer without: with the reason.
    """
    random = {
        variable.path: keras.ops.convert_to_numpy(variable).copy()
        for variable in model.weights
    }
    try:
        with warnings.catch_warnings():
            # What Keras only warns of, a layer left as it was, is an error below.
            warnings.simplefilter("ignore")
            model.load_weights(path)
        missed = [
            variable.path
            for variable in model.weights
            if np.ptp(random[variable.path]) > 0
            and np.array_equal(random[variable.path], variable)
        ]
        if missed:
            raise ValueError(f"It holds nothing for {', '.join(missed[:5])}.")
    except Exception as error:
        raise TeacherError(
            f"The weights in '{path}' do not fit {description}: {reason(error)} Check "
            "the constructor's arguments (width such as alpha, classes, include_top) "
            "against those that the file was saved with."
        ) from error
