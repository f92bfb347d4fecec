"""What follows the tracks of a small explainer, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from reference import contributions as reference

from keras_explainer.explainer import Explainer
from keras_explainer.teachers import Teacher

Network = tuple[Callable[..., np.ndarray], list[np.ndarray], list[np.ndarray]]


def float64_network(
    explainer: Explainer, teacher: Teacher, images: np.ndarray
) -> Network:
    """The logits as a function of both tracks; tracks and their means of the images."""
    weights = [np.asarray(w, "float64") for w in explainer.decoder.get_weights()]
    head = teacher.model.get_layer("predictions").get_weights()
    weights += [np.asarray(w, "float64") for w in head]
    tap, _ = teacher.extract(images)
    outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
    names = ("interpretable", "ordinary")
    tracks = [ops.convert_to_numpy(outputs[n]).astype("float64") for n in names]
    means = [
        np.asarray(ops.convert_to_numpy(getattr(explainer.statistics, f"{n}_mean")))
        for n in names
    ]

    def logits(interpretable: Any, ordinary: Any) -> np.ndarray:
        return reference.logits(interpretable, ordinary, explainer.share, weights, 2)

    return logits, tracks, [mean.astype("float64") for mean in means]


def float64_shares(network: Network, row: int, shown: int, steps: int) -> np.ndarray:
    """Integrated gradients of a class, by filter; last, the ordinary track."""
    logits, tracks, means = network
    return reference.integrated_gradients(
        lambda a, b: logits(a, b)[shown], [track[row] for track in tracks], means, steps
    )
