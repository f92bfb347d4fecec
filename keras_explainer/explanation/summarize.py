"""`summarize`: what each filter of an explainer does over many images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explainer.learning import progress_bar
from keras_explainer.explanation.explain import Names
from keras_explainer.explanation.explanation_job import ExplanationJob
from keras_explainer.explanation.survey import Survey
from keras_explainer.metrics.array_inputs import as_centres
from keras_explainer.results import ExplainerSummary

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

TOP = 12


def summarize(
    explainer: Explainer,
    images: Any,
    class_index: int | str | None = None,
    *,
    top: int = TOP,
    centres: Any = None,
    centre_names: Sequence[str] | None = None,
    contributions: str | None = "integrated_gradients",
    steps: int | None = None,
    names: Iterable[str] | None = None,
    part_names: Names | None = None,
    batch_size: int = 32,
    verbose: Any = "auto",
) -> ExplainerSummary:
    """Summarises every filter: where, how often, how much, and which are alike.

    The teacher runs once per image. Beside a batch, 12 bytes are kept for each filter
    and image, and at most 256 MiB of maps for the mutual information.

    Args:
        explainer: With its teacher.
        images: In any form that `explain` takes. Those that were not learned from.
        class_index: The class that contributions are to; None takes in each image the
            teacher's own.
        top: Images kept for each filter, those in which it fires most strongly.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent; None takes
            those of an `ImageSubset` or `ImageArray`, if it has any.
        centre_names: P names; None takes those of the image set.
        contributions, steps, names, part_names, batch_size, verbose: See `explain`.

    Returns:
        A summary of all filters, by index.

    Raises:
        TeacherError, DataError, ConfigError: As `explain`; centres of another number of
            images; `top` is no whole number from 0.
    """
    survey = begin_survey(
        explainer,
        images,
        class_index,
        top=top,
        centres=centres,
        centre_names=centre_names,
        contributions=contributions,
        steps=steps,
        names=names,
        part_names=part_names,
        batch_size=batch_size,
    )
    with progress_bar("Summary", verbose) as progress:
        run_survey(survey, progress)
    return survey.result()


def begin_survey(
    explainer: Explainer,
    images: Any,
    class_index: int | str | None = None,
    *,
    top: int = TOP,
    centres: Any = None,
    centre_names: Sequence[str] | None = None,
    contributions: str | None = "integrated_gradients",
    steps: int | None = None,
    names: Iterable[str] | None = None,
    part_names: Names | None = None,
    batch_size: int = 32,
) -> Survey:
    """The survey of `summarize`, its arguments checked, before the first batch."""
    if isinstance(top, bool) or not isinstance(top, int) or top < 0:
        raise ConfigError(f"top is a whole number from 0, got {top!r}.")
    job = ExplanationJob(
        explainer,
        images,
        class_index,
        k=None,
        contributions=contributions,
        steps=steps,
        tolerance=None,
        names=names,
        part_names=part_names,
        batch_size=batch_size,
    )
    if centres is None and getattr(images, "has_annotations", False):
        centres = images.centres
        centre_names = images.part_names if centre_names is None else centre_names
    if centres is None:
        return Survey(job, top)
    if job.count is None:
        raise DataError("Part centres need images whose number is known: an array.")
    checked = as_centres(centres, job.count)
    titles = (
        tuple(f"part {at}" for at in range(checked.shape[1]))
        if centre_names is None
        else tuple(str(name) for name in centre_names)
    )
    if len(titles) != checked.shape[1]:
        raise DataError(
            f"There are centres of {checked.shape[1]} parts but {len(titles)} names."
        )
    if np.isnan(checked).all():
        return Survey(job, top)
    return Survey(job, top, checked, titles)


def run_survey(survey: Survey, progress: Callable[[int, int], None] | None) -> None:
    """Reads all images into the survey."""
    done = 0
    for batch in survey.job.batches():
        survey.update(batch)
        done += len(batch)
        if progress:
            progress(done, survey.job.count or 0)
