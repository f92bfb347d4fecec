"""`write_report`: a run as one HTML file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer import files
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.errors import ConfigError, ReportError, whole_number
from keras_explainer.explainer import Explainer
from keras_explainer.report.content import Content, gather
from keras_explainer.report.page import page
from keras_explainer.report.target import PAGE, SUMMARY, check_target
from keras_explainer.runs import (
    Progress,
    RunFolder,
    current_versions,
    evaluate,
    measured_images,
)
from keras_explainer.teachers import Teacher


def write_report(
    run: RunFolder | Explainer | str | os.PathLike[str],
    to: str | os.PathLike[str],
    data: Any = None,
    *,
    category: str | None = None,
    class_index: int | str | None = None,
    top: int = 12,
    shown: int = 24,
    limit: int | None = 1000,
    embed_images: bool = True,
    force: bool = False,
    part_names: Any = None,
    metrics: Mapping[str, Any] | None = None,
    teacher: Teacher | None = None,
    weights: str | os.PathLike[str] | None = None,
    on_bad: str | None = None,
    batch_size: int = 32,
    made: datetime | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes a report: figures with controls, filters, explanations, disagreements.

    The page opens from disk and loads nothing. Images are those that were not learned
    from. Figures are the run's `metrics.json` if it is of these images; else they are
    measured, which the run's files do not change by.

    Args:
        run: A run, its folder, or an explainer with its teacher.
        to: A file that ends in `.html`, or a folder, into which `report.html` and
            `summary.json` (`ExplainerSummary`) go.
        data, category, on_bad: See `keras_explainer.runs.evaluate`; an array will do.
        class_index: The class that contributions are to; None: the teacher's own.
        top: Images for each filter.
        shown: Images to step through.
        limit: Filters are summarised over this many images at most, evenly spread;
            None: all.
        embed_images: False for private data: neither pictures nor names of images are
            in the page, and no summary is written beside it.
        force: Replace a report that is there.
        part_names: See `explain`; None: the run's own.
        metrics: What `evaluate` gave of these images; None: see above.
        teacher, weights: See `RunFolder.load_explainer`.
        batch_size: Images at a time.
        made: The time that the page names.
        progress: See `keras_explainer.runs.train`.

    Returns:
        The HTML file.

    Raises:
        ReportError: It exists, cannot be written, or jinja2 is not installed; what is
            given as `run` or `to` is neither.
        RunError, TeacherError, DataError: As `evaluate`.
        ConfigError: As `explain`; numbers that are not accepted.
    """
    file = check_target(to, force)
    if isinstance(top, bool) or not isinstance(top, int) or not 0 <= top <= 100:
        raise ConfigError(f"top is a whole number from 0 to 100, got {top!r}.")
    if isinstance(shown, bool) or not isinstance(shown, int) or not 0 <= shown <= 500:
        raise ConfigError(f"shown is a whole number from 0 to 500, got {shown!r}.")
    limit = None if limit is None else whole_number("limit", limit)
    folder = RunFolder.open(run) if isinstance(run, str | os.PathLike) else run
    if isinstance(folder, RunFolder):
        explainer = folder.load_explainer(teacher, weights)
        part_names = folder.part_names if part_names is None else part_names
    else:
        if not isinstance(folder, Explainer):
            raise ReportError(
                "run is a run, its folder, or an explainer with its teacher; got "
                f"{type(folder).__name__}. The order is write_report(run, to, data)."
            )
        explainer = folder
        if teacher is not None:
            explainer.attach(teacher)
    opened = folder if isinstance(folder, RunFolder) else None
    images, facts = measured_images(opened, explainer, data, category, on_bad)
    some = _some(images, limit)
    # First what may fail for a wrong argument, then what takes long.
    gathered = gather(
        explainer,
        some,
        class_index=class_index,
        part_names=part_names,
        top=top,
        shown=shown,
        embed_images=embed_images,
        batch_size=batch_size,
        progress=progress,
    )
    metrics = metrics or _own_metrics(opened, images)
    if metrics is None:
        metrics = evaluate(explainer, images, batch_size=batch_size, progress=progress)
    content = Content(
        **gathered,
        metrics=metrics,
        history=[] if opened is None else opened.history,
        notes=_notes(explainer, opened, images, some, facts, gathered),
        named=embed_images,
    )
    title = explainer.teacher.name
    if opened is not None:
        title = f"{opened.path.resolve().name}: {title}"
    text = page(content, title, None if made is None else f"{made:%Y-%m-%d %H:%M}")
    try:
        files.write_text(file, text)
        if file.name == PAGE and Path(to).suffix.lower() != ".html" and embed_images:
            content.summary.save_json(file.with_name(SUMMARY))
    except OSError as error:
        raise ReportError(f"{file} cannot be written: {error}.") from error
    return file


def _some(images: ImageSource, limit: int | None) -> ImageSource:
    count = len(images)
    if limit is None or count <= limit:
        return images
    return images.subset(np.arange(limit) * count // limit)


def _own_metrics(
    run: RunFolder | None, images: ImageSource
) -> Mapping[str, Any] | None:
    """The run's figures, if they are of these images."""
    metrics = None if run is None else run.metrics
    if metrics is None or metrics["data"].get("content_hash") != images.content_hash:
        return None
    return metrics


def _notes(
    explainer: Explainer,
    run: RunFolder | None,
    images: ImageSource,
    some: ImageSource,
    facts: Mapping[str, Any],
    gathered: Mapping[str, Any],
) -> list[tuple[str, str]]:
    """What was measured on what, with which software."""
    summary, teacher = gathered["summary"], explainer.teacher
    height, width = summary.image_size
    notes = [
        ("Teacher", f"{summary.teacher}, explained at {summary.tap}"),
        ("Targets", _listed(teacher.targets)),
        ("Teacher's fingerprint", summary.fingerprint[:16]),
        (
            "Explainer",
            f"{len(summary.filters)} filters, maps of {summary.map_size[0]} × "
            f"{summary.map_size[1]}, beta {summary.beta:g}, recipe "
            f"{explainer.recipe.name}",
        ),
        (
            "Images measured on",
            f"{len(images)} of {height} × {width} pixels, none learned from"
            + (f", category {facts['category']}" if facts.get("category") else ""),
        ),
        (
            "Images summarised",
            f"{len(some)}, {summary.annotated_images} with part centres",
        ),
    ]
    if facts.get("directory"):
        notes.append(("Folder", Path(facts["directory"]).name))
    if images.bad:
        notes.append(("Files left out", str(len(images.bad))))
    if run is not None and run.config.facts is not None:
        learned = run.config.facts
        notes.append(
            (
                "Learned from",
                f"{learned.train_images} images, without annotations, in "
                f"{len(run.history)} epochs, seed {run.config.explainer.seed}",
            )
        )
        if run.config.status == "diverged":
            notes.append(("Attention", "Learning diverged; last good weights."))
        notes.append(("Learned with", _versions(run.config.versions)))
    notes.append(("Report made with", _versions(current_versions())))
    return notes


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in versions.items())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
