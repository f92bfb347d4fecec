"""Which of an image's parts come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from keras import ops

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer


def mean_activations(explainer: Explainer) -> np.ndarray:
    """Each part's mean activation over the train images and the cells of its maps.

    It is the norm layer's scale `alpha` (arXiv 1805.07468, section 3.1) times the mean
    of the normalised track, measured over all train images at the end of `fit`. Where
    that was not measured, it is `alpha` alone, a running mean over the last batches.
    Both are of the masked maps after the pool.

    Returns:
        float64 (parts,), 0 for one that never fired.
    """
    by_filter = _by_filter(explainer)
    return by_filter.reshape(explainer.part_count, -1).mean(1)


def _by_filter(explainer: Explainer) -> np.ndarray:
    norm = explainer.encoder.norm_interpretable
    alpha = np.asarray(ops.convert_to_numpy(norm.alpha), "float64")
    if explainer.statistics.is_measured:
        track = ops.convert_to_numpy(explainer.statistics.interpretable_mean)
        return alpha * np.asarray(track, "float64").mean((0, 1))
    fired = ops.convert_to_numpy(norm.mean_activation) > norm.epsilon
    return np.where(fired, alpha, 0.0)


def scales(means: np.ndarray) -> np.ndarray:
    """What strengths are divided by before they are compared between filters.

    The filter's own mean activation plus the median of that over the filters that fire
    at all. By its mean alone, the faintest flicker of a filter that hardly ever fires
    would rank before every other part.

    Args:
        means: (filters,), see `mean_activations`.

    Returns:
        float64 (filters,), above 0.
    """
    live = means[means > 0]
    return means + np.median(live) if len(live) else np.ones(len(means))


def rank(score: np.ndarray, present: np.ndarray) -> np.ndarray:
    """The filters of one image, by rank.

    Parts that are present come first; among them the highest score; then the lowest
    index.

    Args:
        score: (filters,): contributions, or strength over scale.
        present: (filters,) of bool.

    Returns:
        Indices of the filters, (filters,).
    """
    return np.lexsort((-score, ~present))
