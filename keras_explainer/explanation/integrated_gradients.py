"""Integrated gradients: the change of a logit, shared out among filters and track."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_explainer.explanation.path_gradients import PathGradients, Tracks

STEPS = 14
"""Points of the path of an image."""


class Attribution(NamedTuple):
    """What filters and ordinary track add to a logit.

    Attributes:
        shares: float64 (n, F + 1), of each filter, last of the ordinary track.
        steps: (n,) points of the path that were used for an image.
    """

    shares: np.ndarray
    steps: np.ndarray


def integrated_gradients(
    programs: PathGradients,
    tracks: Tracks,
    classes: np.ndarray,
    changes: np.ndarray,
    *,
    steps: int = STEPS,
    tolerance: float | None = None,
    batch_size: int = 32,
) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, equation 1) of the tracks.

    The share of filter f is `Σ_cells (z_f - m_f) ∫ d logit / d z_f (m + t (z - m)) dt`
    over t from 0 to 1, by the midpoint rule. A network of ReLUs is piecewise linear:
    its gradient jumps along the path, so rules of a higher order gain nothing. Where
    the sum misses the logit's change by more than `tolerance` of it, each interval is
    cut in three; the points that were there are midpoints again.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        changes: (n,) the logit of the reconstruction minus that of the baseline.
        steps: Points of the path, at least 1.
        tolerance: See above; None cuts nothing.
        batch_size: Points at a time.
    """
    ends = programs.ends(tracks, batch_size)
    used = np.full(len(classes), steps)
    nodes = (np.arange(steps) + 0.5) / steps
    total = programs.slopes(ends, nodes, classes, batch_size)
    shares = programs.shares(tracks, total / np.float32(steps), batch_size)
    if tolerance is None:
        return Attribution(shares, used)
    missed = np.abs(shares.sum(1) - changes) > tolerance * np.abs(changes)
    rows = np.flatnonzero(missed)
    if len(rows):
        total = total[rows]
        for shift in (-1 / (3 * steps), 1 / (3 * steps)):
            total += programs.slopes(
                ends[rows], nodes + shift, classes[rows], batch_size
            )
        some = {name: track[rows] for name, track in tracks.items()}
        shares[rows] = programs.shares(some, total / np.float32(3 * steps), batch_size)
        used[rows] = 3 * steps
    return Attribution(shares, used)
