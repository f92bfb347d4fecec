"""Deletion: what blurring the parts that count most does to the teacher's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from keras_explainer.explanation.geometry import AREA_LEVEL, unclipped_mask
from keras_explainer.results import Explanation, Explanations, PartFinding
from keras_explainer.teachers import Teacher

PARTS = 3
BLUR = 1 / 14
"""Standard deviation of the blur, as a share of the image's side."""


def deletion(
    teacher: Teacher,
    images: np.ndarray,
    found: Explanations,
    groups: Sequence[Sequence[int]],
    seed: int,
    by: str = "contribution",
) -> dict[str, Any]:
    """By how much the logit of the teacher's own class falls.

    In each image with at least 2 · `PARTS` present parts: where the masks of the three
    parts with the largest contribution are at least 0.5 the image is blurred; then,
    each for itself, as many pixels around the three parts whose contribution is
    nearest to 0, and around three random cells.

    Args:
        teacher: whose logit.
        images: that were explained.
        found: their explanations, without `k`.
        groups: of filters that are one part: their contributions are summed up, and the
            part is where the one that adds most is. Filters in no group stand for
            themselves.
        seed: of the random cells.
        by: "contribution", or "area_contribution".

    Returns:
        Means over the images: `most`, `least`, `random` drops in logits; `images`.
    """
    random = np.random.default_rng(seed)
    grouped = {number for group in groups for number in group}
    units = [*groups, *([f] for f in range(found.filters) if f not in grouped)]
    changed: dict[str, list[np.ndarray]] = {"most": [], "least": [], "random": []}
    rows = []
    for row, item in enumerate(found):
        counted = _counted(item, units, by)
        if len(counted) < 2 * PARTS:
            continue
        rows.append(row)
        most = sorted(counted, key=lambda one: -one[0])[:PARTS]
        least = sorted(counted, key=lambda one: abs(one[0]))[:PARTS]
        cells = {
            "most": [cell for _, part in most for cell in part.cells],
            "least": [cell for _, part in least for cell in part.cells],
            "random": [
                (int(random.integers(rows_)), int(random.integers(columns)))
                for rows_, columns in [item.map_size] * PARTS
            ],
        }
        area = int((_mask(item, cells["most"]) >= AREA_LEVEL).sum())
        for name, peaks in cells.items():
            changed[name].append(blurred(images[row], _mask(item, peaks), area))
    if not rows:
        return {"images": 0, "most": None, "least": None, "random": None}
    answers = [found[row].answer for row in rows]
    classes = np.array([answer.class_index for answer in answers if answer])
    before = _logits(teacher, images[rows], classes)
    drops = {
        name: before - _logits(teacher, np.stack(pixels), classes)
        for name, pixels in changed.items()
    }
    return {
        "images": len(rows),
        **{name: float(drop.mean()) for name, drop in drops.items()},
    }


def _counted(
    item: Explanation, units: Sequence[Sequence[int]], by: str = "contribution"
) -> list[tuple[float, PartFinding]]:
    """The contribution of each unit that is present, and its filter that adds most."""

    def share(part: PartFinding) -> float:
        return getattr(part, by) or 0.0

    found = {part.filter: part for part in item.parts}
    counted = []
    for unit in units:
        parts = [found[number] for number in unit]
        present = [part for part in parts if part.present]
        if present:
            counted.append((sum(map(share, parts)), max(present, key=share)))
    return counted


def blurred(image: np.ndarray, mask: np.ndarray, area: int) -> np.ndarray:
    """The image, blurred at the `area` pixels where the mask is highest."""
    sigma = BLUR * max(image.shape[:2])
    soft = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))
    chosen = np.zeros(mask.size, bool)
    chosen[np.argsort(-mask.ravel(), kind="stable")[:area]] = True
    return np.where(chosen.reshape(mask.shape)[..., None], soft, image)


def _mask(item: Explanation, cells: list[tuple[int, int]]) -> np.ndarray:
    return unclipped_mask(cells, item.image_size, item.map_size, item.beta)


def _logits(teacher: Teacher, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
    logits = teacher.classify(images)["logits"]
    return logits.reshape(len(images), -1)[np.arange(len(images)), classes]
