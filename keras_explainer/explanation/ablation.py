"""Ablation: by how much the logit falls when one filter alone is put at its mean."""

from __future__ import annotations

import numpy as np

from keras_explainer.explanation.coalitions import coalition_logits
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
    images; the ordinary track as a whole in the same way. P + 2 passes of the decoder
    an image. What parts do together is counted for each of them or for none, so the
    sum need not be the logit's change, and two parts that say the same are worth
    nothing each: see `shapley`.

    Args:
        programs: Of the explainer.
        tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
        classes: (n,) class of each image.
        batch_size: Passes at a time.
    """
    # The whole first, then without each part, then without the ordinary track.
    players = programs.part_count + 1
    kept = np.concatenate([np.ones((1, players), bool), ~np.eye(players, dtype=bool)])
    logits = coalition_logits(programs, tracks, classes, kept, batch_size)
    return Attribution(logits[:, :1] - logits[:, 1:], np.full(len(classes), len(kept)))
