"""Figures that need the truth about every pixel, which drawn images have."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.datasets import ImageArray
from keras_explainer.datasets.creatures import CreatureImages
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.explainer import Explainer
from keras_explainer.metrics import (
    Positions,
    distractor_following,
    mask_iou,
    part_presence,
    part_tracking,
    positions,
    r2,
)

SCHEMA_VERSION = 1


def ground_truth(
    explainer: Explainer, drawn: CreatureImages, batch_size: int = 64
) -> dict[str, Any]:
    """How the filters compare with the parts as they were drawn.

    Args:
        explainer: with its teacher, which takes images of this size.
        drawn: images that were not learned from.
        batch_size: images at a time.

    Returns:
        JSON-able: `explainer` and `teacher` (the tap's channels), each with

        * `tracking`: share of filters, and by part;
        * `best_filters`: the one with the highest R² for each part, over all these
          images: for pictures, no figure;
        * `mask_iou`: with `chance`, and by part;
        * `presence`: precision, recall, prevalence, auc;
        * `distractors`: share of the filters that follow them, and how often positions
          lie on them;

        `planted`: what the distractor test says of filters that are known to follow a
        texture, and of ones that are known to follow a part; `distractor_test_passed`:
        whether it tells all of these apart. What cannot be had is None.

    Raises:
        DataError: images that the teacher does not take.
    """
    features = FeatureCache.build(
        explainer.teacher, ImageArray(drawn.images), batch_size=batch_size
    )
    maps = explainer.predict(features, batch_size, verbose=0, outputs=("maps",))["maps"]
    size = drawn.images.shape[1:3]
    of_explainer = _figures(positions(maps, size), drawn)
    of_teacher = _figures(positions(features.tap[:, 0], size), drawn)
    planted = planted_filters(drawn, maps.shape[1:3])
    return {
        "schema_version": SCHEMA_VERSION,
        "images": len(drawn),
        "parts": list(drawn.part_names),
        "explainer": of_explainer,
        "teacher": of_teacher,
        "planted": planted,
        "distractor_test_passed": _told_apart(planted),
    }


def _told_apart(planted: dict[str, float | None]) -> bool | None:
    if None in planted.values():
        return None
    return planted == {"texture_filters": 1.0, "part_filters": 0.0}


def planted_filters(
    drawn: CreatureImages, map_shape: tuple[int, int]
) -> dict[str, float | None]:
    """The share that follows distractors, of filters whose nature is known.

    `texture_filters`, one for each part, fire where the part's texture is, strongest
    where nothing else is: on distractors, else on the part. `part_filters` fire where
    the part is. The first are to be found out, all of them, and none of the others.
    None for images that have no distractors.
    """
    size = drawn.images.shape[1:3]
    masks, distractors = drawn.masks, drawn.distractor_masks
    # A part that is never drawn, or has no distractors, plants nothing.
    both = [
        part
        for part in range(len(drawn.part_names))
        if masks[:, part].any() and distractors[:, part].any()
    ]
    if not both:
        return {"texture_filters": None, "part_filters": None}
    part = _shares(masks[:, both], map_shape)
    texture = part + 10 * _shares(distractors[:, both], map_shape)
    return {
        name: distractor_following(positions(maps, size), drawn.distractor_masks).share
        for name, maps in (("texture_filters", texture), ("part_filters", part))
    }


def _shares(masks: np.ndarray, map_shape: tuple[int, int]) -> np.ndarray:
    """Pixels of each mask in 3 x 3 cells around each cell, (N, H, W, P)."""
    images, parts, height, width = masks.shape
    rows = np.arange(height) * map_shape[0] // height
    columns = np.arange(width) * map_shape[1] // width
    cells = np.zeros((images, parts, *map_shape))
    summed = np.add.reduceat(
        np.add.reduceat(
            masks.astype("float64"), np.searchsorted(rows, np.arange(map_shape[0])), 2
        ),
        np.searchsorted(columns, np.arange(map_shape[1])),
        3,
    )
    padded = np.pad(summed, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for down in range(3):
        for across in range(3):
            cells += padded[
                :, :, down : down + map_shape[0], across : across + map_shape[1]
            ]
    return cells.transpose(0, 2, 3, 1)


def _best_filters(found: Positions, drawn: CreatureImages) -> list[dict[str, Any]]:
    score = r2(found, drawn.centres, np.arange(len(drawn)))
    return [
        {"part": name, "filter": int(score[:, part].argmax())}
        for part, name in enumerate(drawn.part_names)
        if np.isfinite(score[:, part]).any()
    ]


def _figures(found: Positions, drawn: CreatureImages) -> dict[str, Any]:
    tracking = part_tracking(found, drawn.centres)
    overlap = mask_iou(found, drawn.masks, drawn.centres)
    presence = part_presence(found, drawn.centres)
    following = distractor_following(found, drawn.distractor_masks)
    judged = ~np.isnan(following.hits)
    return {
        "filters": found.cell.shape[1],
        "tracking": {"share": tracking.share, "by_part": list(tracking.by_part)},
        "best_filters": _best_filters(found, drawn),
        "mask_iou": overlap._asdict(),
        "presence": presence._asdict(),
        "distractors": {
            "share": following.share,
            "hits": float(following.hits[judged].mean()) if judged.any() else None,
            "chance": float(following.chance[judged].mean()) if judged.any() else None,
        },
    }
