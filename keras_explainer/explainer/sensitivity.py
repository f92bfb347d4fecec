"""Sensitivity: which directions of the tap's features the teacher's answer feels."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_explainer.gradients import input_gradient
from keras_explainer.teachers import Teacher

GRADIENTS = 256
"""Gradients, of as many cells each, that are taken at least; of few images, several."""
MOST_ROUNDS = 3


def sensitivity(
    teacher: Teacher, features: np.ndarray, seed: int = 0, batch_size: int = 32
) -> np.ndarray:
    """Second moment of the gradient of the answer, over cells, images and outputs.

    The answer is the logits, or the last target where nothing follows from it; its
    outputs are mixed by random signs, which leaves the expectation as if all were
    differentiated one by one (Hutchinson).

    Args:
        teacher: whose answer.
        features: `(N, H, W, C)` at its tap.
        seed: of the signs.
        batch_size: images per step.

    Returns:
        `(C, C)` float64, positive semi-definite; the identity where nothing is known
        above the tap, or where the answer does not depend on it.
    """
    channels = features.shape[-1]
    if not teacher.has_upper:
        return np.eye(channels)
    random = np.random.default_rng(seed)
    last = teacher.targets[-1]

    def answer(tap: Any) -> Any:
        target = teacher.upper(tap)[last]
        logits = teacher.head(target)["logits"] if teacher.has_head else None
        found = target if logits is None else logits
        found = ops.reshape(found, (ops.shape(found)[0], -1))
        signs = random.choice((-1.0, 1.0), size=tuple(found.shape))
        return ops.sum(found * ops.cast(ops.convert_to_tensor(signs), found.dtype))

    total = np.zeros((channels, channels))
    rounds = min(MOST_ROUNDS, -(-GRADIENTS // len(features)))
    for _ in range(rounds):
        for start in range(0, len(features), batch_size):
            batch = np.asarray(features[start : start + batch_size], "float32")
            gradient = ops.convert_to_numpy(input_gradient(answer, batch))
            # Squares of small gradients are 0 in float32.
            cells = gradient.reshape(-1, channels).astype("float64")
            total += cells.T @ cells
    if not np.isfinite(total).all() or not np.trace(total) > 0:
        return np.eye(channels)
    return total / (rounds * len(features))
