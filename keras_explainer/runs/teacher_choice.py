"""A teacher from what a user types: a network's name or a model's file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_explainer.errors import ConfigError
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.teacher_folder import is_teacher_folder

_OWN_OPTIONS = ("weights", "tap", "targets", "input_shape", "preprocessing", "labels")
_FILES = (".keras", ".h5")


def make_teacher(
    name: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    tap: str | None = None,
    targets: Sequence[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    preprocessing: str | None = None,
    image_size: Sequence[int] | None = None,
    labels: Sequence[str] | None = None,
) -> Teacher:
    """A network of keras.applications, or the model in a file or folder.

    Args:
        name: of the constructor, for instance "MobileNet"; or the path of a `.keras` or
            `.h5` model, or of a folder that `keras-explainer teacher fit` wrote.
        weights: for a network: the path of its weights, or "imagenet" (downloaded by
            Keras).
        tap, targets, labels: see `Teacher`.
        arguments: for a network: further arguments of the constructor.
        preprocessing: see `Teacher`; None for the network's own, "identity" for a file.
        image_size: (height, width) or (height, width, channels) for a model that takes
            any; 3 channels if not given.

    Raises:
        ConfigError: arguments that do not go with each other.
        TeacherError: as for `Teacher`.
    """
    if is_teacher_folder(name):
        for option, value in (
            ("weights", weights),
            ("arguments", arguments),
            ("preprocessing", preprocessing),
            ("image_size", image_size),
            ("labels", labels),
        ):
            if value:
                raise ConfigError(
                    f"{option} goes with a network's name or a model file; the teacher "
                    f"in the folder {name} has it in its record."
                )
        return Teacher.from_folder(name, tap, targets)
    shape = None
    if image_size is not None:
        shape = (*image_size, 3)[:3]
    if str(name).lower().endswith(_FILES) or len(Path(name).parts) > 1:
        for option, value in (("weights", weights), ("arguments", arguments)):
            if value:
                raise ConfigError(
                    f"{option} goes with a network's name; the model file {name} "
                    "brings its own."
                )
        return Teacher.from_file(
            name,
            tap,
            targets,
            preprocessing=preprocessing or "identity",
            labels=labels,
            input_shape=shape,
        )
    given = dict(arguments or {})
    if taken := [option for option in _OWN_OPTIONS if option in given]:
        raise ConfigError(
            f"{', '.join(taken)} is no argument of the constructor here: it has an "
            "option of its own."
        )
    if weights is None:
        raise ConfigError(
            f"{name} without weights would be random. Give the path of its weights, or "
            "'imagenet' for Keras' own (downloaded). For a model of your own give its "
            ".keras file."
        )
    return Teacher.from_applications(
        str(name),
        weights=weights,
        tap=tap,
        targets=targets,
        input_shape=shape,
        preprocessing=preprocessing,
        labels=labels,
        **given,
    )


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """Names of a teacher's classes from a text file, one on a line, in output order.

    Raises:
        ConfigError: a file that cannot be read, or has no line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"The labels {path} cannot be read: {error}") from error
    names = [line.strip() for line in text.splitlines()]
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise ConfigError(f"{path} must have a class name on each line.")
    return names
