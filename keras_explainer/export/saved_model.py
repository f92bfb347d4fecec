"""`saved_model`: an explainer with its teacher, as TensorFlow Serving expects it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_explainer.errors import (
    ConfigError,
    ExportError,
    TeacherError,
    whole_number,
)
from keras_explainer.explanation.part_naming import resolve_part_names
from keras_explainer.explanation.weight_check import check_weights
from keras_explainer.export.model_versions import free_version
from keras_explainer.files import atomic_folder

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.explanation.explain import Names


def saved_model(
    explainer: Explainer,
    path: str | os.PathLike[str],
    version: int | None = None,
    part_count: int = 8,
    part_names: Names | None = None,
) -> Path:
    """Writes a version of a served model: images in, explanations out.

    Resizing, preprocessing, teacher and explainer are inside; neither Keras nor this
    package is needed to run it. Every endpoint is a signature with a leading batch
    dimension of any size; see `docs/serving.md` for their inputs and outputs:
    `explain` (also `serving_default`), `part_maps`, `reconstruct`; for teachers of 1 or
    3 channels `explain_jpeg`, and `classify` where the teacher's classes have labels.

    The numbers are those of `explainer.explain(images, contributions=None)`, to
    rounding. An explainer that learned on JAX or PyTorch is loaded on TensorFlow first.

    Args:
        explainer: With its teacher.
        path: Folder of the model; the version gets a folder in it.
        version: Whole number from 1; None: one more than the last there.
        part_count: Parts an image, the first by rank; all filters if there are fewer.
        part_names: See `explain`.

    Returns:
        The folder of the version, `path/version`. It appears when it is complete;
        a failure leaves nothing.

    Raises:
        TeacherError: No teacher, or one that is a SavedModel itself.
        ConfigError: Another backend than TensorFlow; `version` or `part_count` is no
            whole number from 1.
        DataError: Part names of other filters; weights that are not finite.
        ExportError: The version exists; `path` is a file or cannot be written.
    """
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            "A SavedModel is written by TensorFlow; Keras runs on "
            f"{keras.backend.backend()} here. The files are the same on every backend: "
            "set KERAS_BACKEND=tensorflow, load the explainer and export it."
        )
    teacher = explainer.teacher
    if not teacher.has_upper:
        raise TeacherError(
            f"Teacher '{teacher.name}' is a SavedModel itself; what can be exported is "
            "an explainer of a Keras model (Teacher, Teacher.from_file, "
            "Teacher.from_applications)."
        )
    part_count = whole_number("part_count", part_count)
    names = resolve_part_names(explainer, part_names)
    check_weights(explainer)
    model = Path(path)
    chosen = free_version(model, version)

    from keras_explainer.export.endpoints import Endpoints

    endpoints = Endpoints(explainer, part_count, names)
    while True:
        try:
            with atomic_folder(model / str(chosen)) as folder:
                endpoints.save(folder)
        except FileExistsError:
            # Another process took the number since.
            following = free_version(model, version)
            if following == chosen:
                raise ExportError(f"{model} cannot be written.") from None
            chosen = following
        except OSError as error:
            raise ExportError(
                f"{model} cannot be written ({error.strerror or error})."
            ) from error
        else:
            return model / str(chosen)
