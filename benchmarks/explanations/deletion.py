"""Deletion: what blurring the parts that count most does to the teacher's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from keras_explainer.explanation.geometry import AREA_LEVEL, unclipped_mask
from keras_explainer.results import Explanation, Explanations
from keras_explainer.teachers import Teacher

PARTS = 3
BLUR = 1 / 14
"""Standard deviation of the blur, as a share of the image's side."""


def deletion(
    teacher: Teacher, images: np.ndarray, found: Explanations, seed: int
) -> dict[str, Any]:
    """By how much the logit of the teacher's own class falls.

    In each image with at least 2 · `PARTS` present parts: where the masks of the three
    parts with the largest contribution are at least 0.5 the image is blurred; then,
    each for itself, as many pixels around the three parts whose contribution is
    nearest to 0, and around three random cells.

    Returns:
        Means over the images: `most`, `least`, `random` drops in logits; `images`.
    """
    random = np.random.default_rng(seed)
    changed: dict[str, list[np.ndarray]] = {"most": [], "least": [], "random": []}
    rows = []
    for row, item in enumerate(found):
        if len(item.present) < 2 * PARTS:
            continue
        rows.append(row)
        order = sorted(item.present, key=lambda part: abs(part.contribution or 0))
        cells = {
            "most": [c for part in item.present[:PARTS] for c in part.cells],
            "least": [c for part in order[:PARTS] for c in part.cells],
            "random": [
                (
                    int(random.integers(item.map_size[0])),
                    int(random.integers(item.map_size[1])),
                )
                for _ in range(PARTS)
            ],
        }
        area = int((_mask(item, cells["most"]) >= AREA_LEVEL).sum())
        for name, peaks in cells.items():
            changed[name].append(blurred(images[row], _mask(item, peaks), area))
    if not rows:
        return {"images": 0, "most": None, "least": None, "random": None}
    classes = np.array([found[row].answer.class_index for row in rows])
    before = _logits(teacher, images[rows], classes)
    drops = {
        name: before - _logits(teacher, np.stack(pixels), classes)
        for name, pixels in changed.items()
    }
    return {
        "images": len(rows),
        **{name: float(drop.mean()) for name, drop in drops.items()},
    }


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
