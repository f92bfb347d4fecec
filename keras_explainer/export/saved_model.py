"""`saved_model`: an explainer with its teacher, as TensorFlow Serving expects it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from keras_explainer.export.precision import Precision
from keras_explainer.export.sample_images import SampleImages
from keras_explainer.export.verification import verify
from keras_explainer.files import atomic_folder
from keras_explainer.version import __version__

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.explanation.explain import Names


def saved_model(
    explainer: Explainer,
    path: str | os.PathLike[str],
    version: int | None = None,
    part_count: int = 8,
    part_names: Names | None = None,
    images: Any = None,
) -> Path:
    """Writes a version of a served model: images in, explanations out.

    Resizing, preprocessing, teacher and explainer are inside; neither Keras nor this
    package is needed to run it. Every endpoint is a signature with a leading batch
    dimension of any size; see `docs/serving.md` for their inputs and outputs:
    `explain` (also `serving_default`), `part_maps`, `reconstruct`; for teachers of 1 or
    3 channels `explain_jpeg`, and `classify` where the teacher's classes have labels.

    The numbers are those of `explainer.explain(images)`. That is proved before the
    version appears: a second process, without this package, loads it, and its answers
    are compared with Keras'; `export.json` beside the model says how far they differ.
    An explainer that learned on JAX or PyTorch is loaded on TensorFlow first.

    Args:
        explainer: With its teacher.
        path: Folder of the model; the version gets a folder in it.
        version: Whole number from 1; None: one more than the last there.
        part_count: Parts an image, the first by rank; all filters if there are fewer.
        part_names: See `explain`.
        images: On which the export is compared with Keras: a folder, or
            (n, H, W, C), RGB 0..255, of the teacher's size; the first eight. None:
            images that are drawn at random.

    Returns:
        The folder of the version, `path/version`. It appears when it is complete;
        a failure leaves nothing.

    Raises:
        TeacherError: No teacher, or one that is a SavedModel itself.
        ConfigError: Another backend than TensorFlow; `version` or `part_count` is no
            whole number from 1.
        DataError: Part names of other filters; weights that are not finite; images
            that cannot be read or do not fit.
        ExportError: The version exists; `path` is a file or cannot be written; the
            export does not say what Keras says.
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
    sample = SampleImages.of(teacher, images)

    from keras_explainer.export.endpoints import Endpoints

    endpoints = Endpoints(explainer, part_count, names)
    precision = Precision.named("float32")
    while True:
        try:
            with atomic_folder(model / str(chosen)) as folder:
                endpoints.save(folder)
                verify(
                    folder,
                    explainer,
                    sample,
                    names,
                    precision,
                    _facts(explainer, endpoints.parts.count, precision),
                )
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


def _facts(
    explainer: Explainer, part_count: int, precision: Precision
) -> dict[str, Any]:
    """What `export.json` says of an export beside how it was verified."""
    card = explainer.teacher.card()
    return {
        "teacher": {
            name: card[name]
            for name in ("name", "source", "tap", "targets", "fingerprint")
        },
        "filters_fingerprint": explainer.filters_fingerprint,
        "part_count": part_count,
        "precision": precision.name,
        "versions": {
            "keras_explainer": __version__,
            "keras": keras.__version__,
            "tensorflow": metadata.version("tensorflow"),
            "numpy": metadata.version("numpy"),
            "python": platform.python_version(),
        },
    }
