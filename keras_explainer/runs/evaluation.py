"""All figures of a learned explainer on images that it has not learned from."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_explainer.datasets import ImageFolder
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.explainer import Explainer
from keras_explainer.metrics import PartMapFigures, constant_position
from keras_explainer.runs.checkpoint import Progress
from keras_explainer.runs.fidelity import Fidelity
from keras_explainer.runs.measured_images import measured_images
from keras_explainer.runs.run_folder import RunFolder
from keras_explainer.teachers import Teacher

SCHEMA_VERSION = 1
_FIDELITY = (
    "explained_variance",
    "kl",
    "top1_agreement",
    "top1_constant",
    "without_ordinary",
    "without_interpretable",
    "accuracy",
)


def evaluate(
    run: RunFolder | Explainer | str | os.PathLike[str],
    data: ImageFolder | ImageSource | str | os.PathLike[str] | None = None,
    *,
    category: str | None = None,
    teacher: Teacher | None = None,
    weights: str | os.PathLike[str] | None = None,
    on_bad: str | None = None,
    batch_size: int = 32,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The content of a `metrics.json`.

    Map-based figures are of the annotated test images; where there are none, of all
    test images, without the figures that need centres. Fidelity figures are of all test
    images. Images are read batch by batch; no features are kept.

    Args:
        run: a run, its folder, or an explainer with its teacher.
        data: a folder of images, split as in the run (its train images are left out);
            an `ImageFolder` (its test images), or images (all of them). None: those
            of the run.
        category: of a folder; None: that of the run; "": all.
        teacher, weights: see `RunFolder.load_explainer`.
        on_bad: "skip" or "raise" for files that cannot be used; None: as in the run.
        batch_size: images at a time.
        progress: see `train`.

    Returns:
        `{"schema_version": 1, "data": ..., "teacher": ..., "explainer": ...,
        "baselines": {"constant_position": ...}}`, JSON-able. What cannot be had is
        None.

    Raises:
        RunError, TeacherError: as for `RunFolder.open` and `load_explainer`.
        DataError: images that cannot be used, or none.
        ConfigError: arguments that do not go with each other.
    """
    if isinstance(run, str | os.PathLike):
        run = RunFolder.open(run)
    if isinstance(run, RunFolder):
        explainer = run.load_explainer(teacher, weights)
    else:
        explainer = run
        if teacher is not None:
            explainer.attach(teacher)
    folder = run if isinstance(run, RunFolder) else None
    images, facts = measured_images(folder, explainer, data, category, on_bad)
    return _measure(explainer, images, facts, batch_size, progress)


def _measure(
    explainer: Explainer,
    images: ImageSource,
    facts: dict[str, Any],
    batch_size: int,
    progress: Progress | None,
) -> dict[str, Any]:
    teacher = explainer.teacher
    size = teacher.input_shape[:2]
    count = len(images)
    centres = np.asarray(images.centres) if images.has_annotations else None
    chosen = np.ones(count, bool)
    if centres is not None:
        chosen = ~np.isnan(centres[..., 0]).all(-1)
    classes = _classes_of(images, teacher)
    fidelity = Fidelity(explainer, labels=classes is not None)
    of_teacher, of_explainer = PartMapFigures(), PartMapFigures()
    done = 0
    for batch in images.batches(batch_size):
        rows = slice(done, done + len(batch))
        tap, targets = teacher.extract(batch, batch_size=batch_size)
        right = None if classes is None else classes[rows]
        maps = fidelity.update(tap, targets, right, batch_size)
        of_teacher.update(tap[chosen[rows]])
        of_explainer.update(maps[chosen[rows]])
        done += len(batch)
        if progress is not None:
            progress("Measuring", done, count, {})
    seen = None if centres is None else centres[chosen]
    rebuilt = fidelity.result()
    measured = {
        "schema_version": SCHEMA_VERSION,
        "data": {
            **facts,
            "image_size": list(size),
            "images": count,
            "annotated_images": 0 if seen is None else int(chosen.sum()),
            "parts": list(images.part_names),
            "content_hash": images.content_hash,
            "bad": [entry.to_dict() for entry in images.bad],
        },
        "teacher": {
            **of_teacher.result(seen, size),
            "accuracy": rebuilt["teacher_accuracy"],
        },
        "explainer": {
            **of_explainer.result(seen, size),
            "p": explainer.share,
            "p_variance_share": explainer.statistics.variance_share(explainer.share),
            **{name: rebuilt[name] for name in _FIDELITY},
        },
        "baselines": {"constant_position": _baseline(seen, int(chosen.sum()), size)},
    }
    return _json_able(measured)


def _baseline(centres: Any, images: int, size: tuple[int, int]) -> dict[str, Any]:
    if centres is not None:
        return constant_position(centres, size)
    figures = PartMapFigures()
    figures.update(np.ones((images, 1, 1, 1)))
    return figures.result(None, size)


def _classes_of(images: ImageSource, teacher: Teacher) -> np.ndarray | None:
    """Index of each image's category among the teacher's labels, None if unknown."""
    names = {label: index for index, label in enumerate(teacher.labels or ())}
    found = [names.get(label) if label is not None else None for label in images.labels]
    if not names or None in found:
        return None
    return np.asarray(found)


def _json_able(value: Any) -> Any:
    """NaN and infinity, which JSON has not, as None."""
    if isinstance(value, Mapping):
        return {name: _json_able(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json_able(entry) for entry in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
