"""`saved_model`: an explainer with its teacher, as TensorFlow Serving expects it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_explainer.errors import (
    ExportError,
    whole_number,
)
from keras_explainer.explanation.part_naming import resolve_part_names
from keras_explainer.explanation.weight_check import check_weights
from keras_explainer.export.model_versions import free_version
from keras_explainer.export.other_backend import export_in_tensorflow
from keras_explainer.export.precision import Precision
from keras_explainer.export.sample_images import SampleImages
from keras_explainer.export.verification import signature_inputs, verify
from keras_explainer.export.warm_up import check_serving_api, write_warm_up
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
    *,
    precision: str = "float32",
    with_teacher: bool = True,
    warm_up: Any = None,
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
    On JAX and PyTorch explainer and teacher are handed to a process with TensorFlow.

    Args:
        explainer: With its teacher.
        path: Folder of the model; the version gets a folder in it.
        version: Whole number from 1; None: one more than the last there.
        part_count: Parts an image, the first by rank; all filters if there are fewer.
        part_names: See `explain`.
        images: On which the export is compared with Keras: a folder, or
            (n, H, W, C), RGB 0..255, of the teacher's size; the first eight. None:
            images that are drawn at random.
        precision: Of the kernels in the file: "float32", "float16" or "bfloat16". The
            program computes in float32. Rounding may change the teacher's scores by
            2 % and 10 % of the largest with the latter two, or it is an error.
        with_teacher: False for those who have the features already: `features`
            (n, H, W, C) of the tap instead of `images`, and no endpoint that decodes.
            Scores are there where they follow from the tap.
        warm_up: Images, as `images`, for requests that TensorFlow Serving runs before
            it serves the version (needs tensorflow-serving-api). None: none.

    Returns:
        The folder of the version, `path/version`. It appears when it is complete;
        a failure leaves nothing.

    Raises:
        TeacherError: No teacher.
        ConfigError: `version` or `part_count` is no whole number from 1; no such
            `precision`.
        DataError: Part names of other filters; weights that are not finite; images
            that cannot be read or do not fit.
        ExportError: The version exists; `path` is a file or cannot be written; the
            export does not say what Keras says; weights that float16 cannot hold;
            warm-up requests without tensorflow-serving-api.
    """
    teacher = explainer.teacher
    kept = Precision.named(precision)
    part_count = whole_number("part_count", part_count)
    names = resolve_part_names(explainer, part_names)
    check_weights(explainer)
    model = Path(path)
    chosen = free_version(model, version)
    if keras.backend.backend() != "tensorflow":
        return export_in_tensorflow(
            explainer,
            model,
            names,
            version=version,
            part_count=part_count,
            images=images,
            precision=precision,
            with_teacher=with_teacher,
            warm_up=warm_up,
        )
    sample = SampleImages.of(teacher, images)
    requests = None
    if warm_up is not None:
        check_serving_api()
        requests = SampleImages.of(teacher, warm_up)

    from keras_explainer.export.endpoints import Endpoints

    endpoints = Endpoints(explainer, part_count, names, kept, with_teacher)
    facts = _facts(explainer, endpoints.networks.parts.count, kept, with_teacher)
    while True:
        try:
            with atomic_folder(model / str(chosen)) as folder:
                endpoints.save(folder)
                if requests is not None:
                    facts["warm_up_requests"] = write_warm_up(
                        folder,
                        model.name,
                        signature_inputs(folder),
                        teacher,
                        requests,
                    )
                verify(
                    folder,
                    explainer,
                    sample,
                    names,
                    kept,
                    endpoints.networks.weights,
                    facts,
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
    explainer: Explainer, part_count: int, precision: Precision, with_teacher: bool
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
        "with_teacher": with_teacher,
        "versions": {
            "keras_explainer": __version__,
            "keras": keras.__version__,
            "tensorflow": metadata.version("tensorflow"),
            "numpy": metadata.version("numpy"),
            "python": platform.python_version(),
        },
    }
