"""Shapley values: ablation, averaged over which of the other parts are there."""

from __future__ import annotations

import numpy as np

from keras_explainer.explanation.coalitions import coalition_logits
from keras_explainer.explanation.integrated_gradients import Attribution
from keras_explainer.explanation.path_gradients import PathGradients, Tracks

PAIRS = 8
"""Pairs of an order of the parts and its reverse."""


def shapley(
    programs: PathGradients,
    tracks: Tracks,
    classes: np.ndarray,
    *,
    pairs: int = PAIRS,
    seed: int = 0,
    batch_size: int = 32,
) -> Attribution:
    """Shapley values (1953) of the parts and the ordinary track, by sampled orders.

    The parts are put from their mean to what they are in the image one after the other,
    in random orders; a part's share is by how much the logit rises at its turn, mean
    over the orders (Castro et al. 2009). Each order is walked backwards too: what parts
    do in twos is then exact after one pair. The shares of an order add up to the
    logit's change, so there is no completeness error but that of rounding; what is left
    is the spread over orders. The orders are the same for all images.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        pairs: Pairs of orders, at least 1. Of P parts a pair takes 2 P passes of the
            decoder.
        seed: Of the orders.
        batch_size: Passes at a time.
    """
    players = programs.part_count + 1
    random = np.random.default_rng(seed)
    # (orders, players): who comes first, second, ...
    forward = np.stack([random.permutation(players) for _ in range(pairs)])
    orders = np.concatenate([forward, forward[:, ::-1]])
    turn = np.argsort(orders, axis=1)
    # Before the turns 1 to P; at turn 0 nobody is there, after the last all are.
    before = turn[:, None, :] < np.arange(1, players)[None, :, None]
    ends = np.stack([np.zeros(players, bool), np.ones(players, bool)])
    kept = np.concatenate([ends, before.reshape(-1, players)])
    logits = coalition_logits(programs, tracks, classes, kept, batch_size)
    count, walks = len(classes), len(orders)
    between = logits[:, 2:].reshape(count, walks, players - 1)
    first, last = (
        np.broadcast_to(logits[:, None, end : end + 1], (count, walks, 1))
        for end in (0, 1)
    )
    rises = np.diff(np.concatenate([first, between, last], axis=2), axis=2)
    shares = np.take_along_axis(rises, turn[None], axis=2).mean(1)
    return Attribution(shares, np.full(count, len(kept)))
