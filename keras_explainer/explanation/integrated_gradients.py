"""Integrated gradients: the change of a logit, shared out among filters and track."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from keras_explainer.explanation.path_gradients import PathGradients, Tracks


class Attribution(NamedTuple):
    """What filters and ordinary track add to a logit.

    Attributes:
        shares: float64 (n, F + 1), of each filter, last of the ordinary track.
        steps: (n,) intervals of the path, or passes of the decoder, of an image.
        cells: float64 (n, H, W), of each cell of both tracks together; None where it
            is not known.
    """

    shares: np.ndarray
    steps: np.ndarray
    cells: np.ndarray | None = None


def integrated_gradients(
    programs: PathGradients,
    tracks: Tracks,
    classes: np.ndarray,
    changes: np.ndarray,
    *,
    steps: int | None = None,
    tolerance: float | None = None,
    batch_size: int = 32,
) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, equation 1) of the tracks.

    The share of filter f is `Σ_cells (z_f - m_f) ∫ d logit / d z_f (m + t (z - m)) dt`
    over t from 0 to 1, by equal intervals: each with the slope of its secant, or, where
    the network cannot be taken apart for that, the gradient at its middle (see
    `PathGradients.slopes`). A network of ReLUs is piecewise linear: its gradient jumps
    along the path, so rules of a higher order gain nothing. Where the sum misses the
    logit's change by more than `tolerance` of it, there are three times as many.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        changes: (n,) the logit of the reconstruction minus that of the baseline.
        steps: Intervals of the path, at least 1; None: `PathGradients.steps`.
        tolerance: See above; None: the same number for all images.
        batch_size: Points at a time.
    """
    steps = programs.steps if steps is None else steps
    ends = programs.ends(tracks, batch_size)
    used = np.full(len(classes), steps)
    slopes = programs.slopes(ends, steps, classes, batch_size)
    shares, cells = programs.shares(tracks, slopes, batch_size)
    if tolerance is None:
        return Attribution(shares, used, cells)
    missed = np.abs(shares.sum(1) - changes) > tolerance * np.abs(changes)
    rows = np.flatnonzero(missed)
    if len(rows):
        slopes = programs.slopes(ends[rows], 3 * steps, classes[rows], batch_size)
        some = {name: track[rows] for name, track in tracks.items()}
        shares[rows], cells[rows] = programs.shares(some, slopes, batch_size)
        used[rows] = 3 * steps
    return Attribution(shares, used, cells)
