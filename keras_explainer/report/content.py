"""What a report shows, gathered in one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.explainer import Explainer
from keras_explainer.explanation import explain
from keras_explainer.explanation.summarize import begin_survey
from keras_explainer.report.answers_log import AnswersLog
from keras_explainer.report.image_bank import ImageBank
from keras_explainer.results import ExplainerSummary, Explanations
from keras_explainer.runs import Progress

BUDGET = 10_500_000
"""Characters of base64 for the gallery's pictures, so that a page stays below 15 MB."""
SHOWN_BUDGET = 2_500_000
SHOWN_SIDE = 416


@dataclass(frozen=True)
class Content:
    """Everything that the page is made of.

    Attributes:
        summary: Of all filters.
        answers: Of teacher and explainer.
        explanations: Of the images to step through.
        numbers: Of these images.
        gallery, pictures: Banks of the gallery and of these images; None where no
            images are embedded.
        metrics, history: Of the run; None, and none, where there are none.
        notes: Texts about data and method, title and value.
        named: Whether the names of images are shown.
    """

    summary: ExplainerSummary
    answers: AnswersLog
    explanations: Explanations | None
    numbers: list[int]
    gallery: ImageBank | None
    pictures: ImageBank | None
    metrics: Mapping[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    named: bool = True


def gather(
    explainer: Explainer,
    images: ImageSource,
    *,
    class_index: int | str | None,
    part_names: Any,
    top: int,
    shown: int,
    embed_images: bool,
    batch_size: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Summary, answers, explanations and pictures, as arguments of `Content`."""
    settings: dict[str, Any] = {"part_names": part_names, "batch_size": batch_size}
    survey = begin_survey(explainer, images, class_index, top=top, **settings)
    answers = AnswersLog()
    done, count = 0, len(images)
    for batch in survey.job.batches():
        survey.update(batch)
        answers.update(batch)
        done += len(batch)
        if progress is not None:
            progress("Reading", done, count, {})
    summary = survey.result()
    numbers = chosen_images(answers, count, shown)
    explanations = None
    if numbers:
        names = getattr(images, "files", None)
        explanations = explain(
            explainer,
            images.subset(numbers),
            class_index,
            names=None if names is None else [names[number] for number in numbers],
            verbose=0,
            **settings,
        )
    gallery = pictures = None
    if embed_images:
        wanted = [i.index for one in summary.by_use for i in one.top]
        gallery = ImageBank(images, _side(len(set(wanted))), BUDGET)
        gallery.add(wanted, _told(progress, "Pictures"))
        pictures = ImageBank(images, SHOWN_SIDE, SHOWN_BUDGET, quality=85)
        pictures.add(numbers, _told(progress, "Explained"))
    return {
        "summary": summary,
        "answers": answers,
        "explanations": explanations,
        "numbers": numbers,
        "gallery": gallery,
        "pictures": pictures,
    }


def chosen_images(answers: AnswersLog, count: int, shown: int) -> list[int]:
    """Numbers of the images to step through, in their order.

    Up to half are such on which teacher and explainer disagree, the others lie evenly
    spread over all images, so that nobody chose them.
    """
    shown = min(shown, count)
    odd = [one.index for one in answers.disagreements][: shown // 2]
    rest = [n for n in range(count) if n not in set(odd)]
    few = shown - len(odd)
    places = np.arange(few) * len(rest) // max(1, few)
    return sorted(odd + [rest[place] for place in places])


def _side(pictures: int) -> int:
    """Longest side of the gallery's pictures: smaller where there are many."""
    if pictures <= 600:
        return 160
    return 128 if pictures <= 1600 else 96


def _told(progress: Progress | None, stage: str) -> Any:
    if progress is None:
        return None
    return lambda done, total: progress(stage, done, total, {})
