"""Which part each filter follows, chosen and proved on different images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import BoolArray, FloatArray, IntArray
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.r2 import r2
from keras_explainer.metrics.selection import halves


class TrackedParts(NamedTuple):
    """The parts of the filters in one halving of the images.

    Attributes:
        half_a, half_b: image indices.
        part: (C,) the part with the highest R² on half A.
        tracks: (C,) live, and R² for that part on half B is high enough.
    """

    half_a: IntArray
    half_b: IntArray
    part: IntArray
    tracks: BoolArray


def tracked_parts(
    positions: Positions,
    centres: FloatArray,
    *,
    threshold: float,
    splits: int,
    top: int,
) -> Iterator[TrackedParts]:
    """The halvings and choices that `part_tracking` has, one after the other.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2), checked.
        threshold, splits, top: see `part_tracking`.
    """
    images, filters = positions.cell.shape
    for seed in range(splits):
        half_a, half_b = halves(images, seed)
        part = r2(positions, centres, half_a, top=top).argmax(1)
        score = r2(positions, centres, half_b, top=top)[np.arange(filters), part]
        tracks = (score >= threshold) & positions.live
        yield TrackedParts(half_a, half_b, part, tracks)
