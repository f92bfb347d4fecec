"""`explain`: which parts an image has, where, and how much each counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keras_explainer.explainer.learning import progress_bar
from keras_explainer.explanation.explanation_job import ExplanationJob
from keras_explainer.results import Explanation, Explanations, PartNames

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

Names = PartNames | Mapping[int, str] | str | os.PathLike[str]


def explain(
    explainer: Explainer,
    images: Any,
    class_index: int | str | None = None,
    *,
    k: int | None = None,
    contributions: str | None = "integrated_gradients",
    steps: int | None = None,
    tolerance: float | None = None,
    names: Iterable[str] | None = None,
    part_names: Names | None = None,
    batch_size: int = 32,
    verbose: Any = "auto",
) -> Explanations:
    """Explains images: which parts are there, where, and what each adds to a class.

    The teacher runs once per image; no more than a batch of features and maps is in
    memory. The result takes about 0.7 kB for each filter and image: with many images
    give `k`, or use `iter_explanations`.

    Args:
        explainer: With its teacher.
        images: `(n, H, W, C)` or one image `(H, W, C)` of the teacher's input size, RGB
            0..255; a list of images of one size; an `ImageSubset` or `ImageArray`; a
            dataset that gives batches of images; a `FeatureCache`.
        class_index: The class that is explained, in all images: its index among the
            teacher's outputs, or its label. None explains in each image the class with
            the teacher's highest output. One sigmoid and one number have index 0.
        k: Keep the first `k` parts that are present; None keeps all filters.
        contributions: How the logit of the class is shared out among the filters and
            the ordinary track: "integrated_gradients"; "shapley", the slower check;
            "ablation", what is lost without each alone, which does not add up; or None
            for none. A teacher without a head or without logits has none: the
            explanation says why.
        steps: Intervals of the path of integrated gradients. None: 8 where the decoder
            and the head are affine layers and activations, and so complete with any
            number; else 14.
        tolerance: Images whose relative completeness error is larger get three times
            as many; None: none.
        names: Of the images, one each; None takes the files of an image folder.
        part_names: `PartNames`, {filter: name}, or the path of a file of names.
        batch_size: Images at a time.
        verbose: 0 for no progress bar, "auto" for one on a terminal.

    Returns:
        One `Explanation` an image, in the order of the images.

    Raises:
        TeacherError: The explainer has no teacher.
        DataError: No images, images that do not fit the teacher, features or maps that
            are not finite, another number of names than of images, part names of
            other filters.
        ConfigError: A class that the teacher does not have; `k`, `steps` or
            `batch_size` is no whole number from 1, `tolerance` no number above 0; an
            unknown kind of contributions.
    """
    job = ExplanationJob(
        explainer,
        images,
        class_index,
        k=k,
        contributions=contributions,
        steps=steps,
        tolerance=tolerance,
        names=names,
        part_names=part_names,
        batch_size=batch_size,
    )
    items = []
    with progress_bar("Explanations", verbose) as progress:
        for item in job.run():
            items.append(item)
            if progress and (len(items) % batch_size == 0 or len(items) == job.count):
                progress(len(items), job.count or 0)
    card = explainer.teacher_card or {}
    return Explanations(
        items=tuple(items),
        teacher=str(card["name"]),
        tap=str(card["tap"]),
        fingerprint=str(card["fingerprint"]),
        output=explainer.teacher.output,
        share=explainer.share,
        filters=explainer.part_count,
    )


def iter_explanations(
    explainer: Explainer,
    images: Any,
    class_index: int | str | None = None,
    *,
    k: int | None = None,
    contributions: str | None = "integrated_gradients",
    steps: int | None = None,
    tolerance: float | None = None,
    names: Iterable[str] | None = None,
    part_names: Names | None = None,
    batch_size: int = 32,
) -> Iterator[Explanation]:
    """As `explain`, one explanation after the other, of which none is kept.

    Raises:
        TeacherError, DataError, ConfigError: As `explain`; for arguments at once, for
            an image when its turn comes.
    """
    return ExplanationJob(
        explainer,
        images,
        class_index,
        k=k,
        contributions=contributions,
        steps=steps,
        tolerance=tolerance,
        names=names,
        part_names=part_names,
        batch_size=batch_size,
    ).run()
