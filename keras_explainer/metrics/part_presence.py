"""Whether a filter fires exactly where its part is shown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import BoolArray, FloatArray, as_centres
from keras_explainer.metrics.part_tracking import THRESHOLD
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import SPLITS, TOP
from keras_explainer.metrics.tracked_parts import tracked_parts


class PartPresence(NamedTuple):
    """Means over the filters that track a part, each 0 to 1; `None` if nothing tracks.

    Attributes:
        precision: share of the images on which the filter fires that show its part.
        recall: share of the images that show its part on which it fires.
        prevalence: share of the images that show its part: the precision, at recall 1,
            of a filter that always fires.
        auc: how often its strength on an image with the part exceeds that on one
            without, ties counted half: 1/2 by chance, whatever the level.
    """

    precision: float | None
    recall: float | None
    prevalence: float | None
    auc: float | None


def part_presence(
    positions: Positions,
    centres: Any,
    *,
    level: Any = None,
    threshold: float = THRESHOLD,
    splits: int = SPLITS,
    top: int = TOP,
) -> PartPresence:
    """Precision and recall of 'the filter fires' for 'its part is shown'.

    Over `splits` seeded halvings of the images: a filter's part is chosen and it is
    found to track it as in `part_tracking`; figures are those of half B. A filter fires
    where its strength is above 0 and at least its level: the one with the highest F1
    on half A (the lowest of equals). Filters that fire on no image of half B have
    precision and recall 0. Mean over all tracking filters of all halvings.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent. Images that
            show no part at all count, and are needed.
        level: of all filters, or (C,) of each, instead of the chosen ones; 0 asks only
            whether the filter is silent.
        threshold, splits, top: see `part_tracking`.

    Raises:
        DataError: `centres` cannot be used.
    """
    centres = as_centres(centres, len(positions.cell))
    shown = ~np.isnan(centres[..., 0])
    levels = None if level is None else np.broadcast_to(level, positions.cell.shape[1:])
    rows: list[tuple[float, float, float, float]] = []
    for split in tracked_parts(
        positions, centres, threshold=threshold, splits=splits, top=top
    ):
        for filter_ in np.flatnonzero(split.tracks):
            part = split.part[filter_]
            strength, truth = positions.strength[:, filter_], shown[:, part]
            least = (
                best_level(strength[split.half_a], truth[split.half_a])
                if levels is None
                else levels[filter_]
            )
            strength, truth = strength[split.half_b], truth[split.half_b]
            fires = (strength > 0) & (strength >= least)
            hits = float((fires & truth).sum())
            rows.append(
                (
                    hits / max(fires.sum(), 1),
                    hits / truth.sum(),
                    float(truth.mean()),
                    area_under_curve(strength, truth),
                )
            )
    if not rows:
        return PartPresence(None, None, None, None)
    precision, recall, prevalence, _ = np.mean(rows, axis=0).tolist()
    areas = [row[3] for row in rows if not np.isnan(row[3])]
    auc = float(np.mean(areas)) if areas else None
    return PartPresence(precision, recall, prevalence, auc)


def best_level(strength: FloatArray, shown: BoolArray) -> float:
    """The level from which firing agrees best with `shown`: highest F1.

    Args:
        strength: (N,).
        shown: (N,).

    Returns:
        The lowest of the strengths above 0 with the highest F1; 0 if none is above 0.
    """
    order = np.argsort(-strength, kind="stable")
    strength, shown = strength[order], shown[order]
    hits = np.cumsum(shown)
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + shown.sum())
    # A level takes in all images of that strength: look at the last of each.
    last = np.append(strength[1:] != strength[:-1], True) & (strength > 0)
    if not last.any():
        return 0.0
    f1[~last] = -1
    return float(strength[np.flatnonzero(f1 == f1.max())[-1]])


def area_under_curve(strength: FloatArray, shown: BoolArray) -> float:
    """Share of pairs (with, without) in which the strength with it is higher.

    Args:
        strength: (N,); all values at or below 0 are equal: silent.
        shown: (N,).

    Returns:
        0 to 1, ties counted half; NaN unless there are images of both kinds.
    """
    strength = np.maximum(strength, 0)
    with_it, without = strength[shown], np.sort(strength[~shown])
    if not len(with_it) or not len(without):
        return float("nan")
    below = np.searchsorted(without, with_it, "left")
    up_to = np.searchsorted(without, with_it, "right")
    return float((below + up_to).mean() / (2 * len(without)))
