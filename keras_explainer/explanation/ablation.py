"""Ablation: by how much the logit falls when one filter alone is put at its mean."""

from __future__ import annotations

import numpy as np

from keras_explainer.explanation.integrated_gradients import Attribution
from keras_explainer.explanation.path_gradients import PathGradients, Tracks


def ablation(
    programs: PathGradients,
    tracks: Tracks,
    classes: np.ndarray,
    *,
    batch_size: int = 32,
) -> Attribution:
    """The logit of the reconstruction minus that without a part, part by part.

    A part is taken away by putting its normalised channels at their mean over the train
    images; the ordinary track as a whole in the same way. The slower check of
    `integrated_gradients`: P + 2 passes of the decoder an image. What parts do
    together is counted for each of them or for none, so the sum need not be the
    logit's change.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        batch_size: Passes at a time.
    """
    count, parts = len(classes), programs.part_count
    # The whole first, then without each part, then without the ordinary track.
    logits = np.empty((count, parts + 2))
    for start in range(0, logits.size, batch_size):
        pairs = np.arange(start, min(start + batch_size, logits.size))
        image, dropped = np.divmod(pairs, parts + 2)
        some = {name: track[image] for name, track in tracks.items()}
        found = programs.logits(some, np.ones(len(pairs)), dropped - 1.0, batch_size)
        logits[image, dropped] = found[np.arange(len(pairs)), classes[image]]
    return Attribution(logits[:, :1] - logits[:, 1:], np.full(count, parts + 2))
