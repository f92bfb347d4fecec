"""Logits of coalitions: some parts as in the image, the others at their mean."""

from __future__ import annotations

import numpy as np

from keras_explainer.explanation.path_gradients import PathGradients, Tracks


def coalition_logits(
    programs: PathGradients,
    tracks: Tracks,
    classes: np.ndarray,
    kept: np.ndarray,
    batch_size: int,
) -> np.ndarray:
    """The logit of each image's class with the parts of each coalition alone.

    A part that is not in the coalition has its normalised channels at their mean over
    the train images; so has the ordinary track as a whole.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        kept: (K, P + 1) of bool, the coalitions; last the ordinary track.
        batch_size: Passes of the decoder at a time.

    Returns:
        float64 (n, K).
    """
    logits = np.empty((len(classes), len(kept)))
    for start in range(0, logits.size, batch_size):
        pairs = np.arange(start, min(start + batch_size, logits.size))
        image, coalition = np.divmod(pairs, len(kept))
        some = {name: track[image] for name, track in tracks.items()}
        found = programs.logits(some, kept[coalition], batch_size)
        logits[image, coalition] = found[np.arange(len(pairs)), classes[image]]
    return logits
