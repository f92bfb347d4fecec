"""Loading an explainer from its file."""

from __future__ import annotations

import os
from pathlib import Path

from keras_explainer.errors import ConfigError
from keras_explainer.explainer.explainer import Explainer
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.model_archive import load_model_archive, reason


def load(path: str | os.PathLike[str], teacher: Teacher | None = None) -> Explainer:
    """Loads an explainer that `explainer.save("….keras")` wrote, in safe mode.

    Args:
        path: the `.keras` file.
        teacher: the teacher that it learned on, which the file does not hold.

    Raises:
        TeacherError: no teacher is given (the message says which), or another one.
        ConfigError: no explainer, or a file that cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"There is no file {path}.")
    try:
        model = load_model_archive(path)
    except Exception as error:
        raise ConfigError(
            f"{path} cannot be loaded as an explainer: {reason(error)}"
        ) from error
    if not isinstance(model, Explainer):
        raise ConfigError(f"{path} holds a {type(model).__name__}, no explainer.")
    if teacher is None:
        _ = model.teacher
    else:
        model.attach(teacher)
    return model
