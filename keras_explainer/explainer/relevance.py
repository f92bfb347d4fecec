"""Relevance: which cells of the tap's map the teacher's answer hangs on."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_explainer.gradients import input_gradient
from keras_explainer.teachers import Teacher


def relevance(
    teacher: Teacher, features: np.ndarray, batch_size: int = 32
) -> np.ndarray:
    """Gradient times activation of the teacher's own answer, summed over channels.

    The answer is the largest logit of each image; without logits, half the squared
    norm of the last target, or of the tap where nothing follows from it. No label is
    used.

    Args:
        teacher: whose answer.
        features: `(N, H, W, C)` at its tap.
        batch_size: images per step.

    Returns:
        `(N, H, W)` float32; positive where the cell speaks for the answer.
    """
    if not teacher.has_upper:
        # Nothing is known above the tap: its own energy.
        return np.square(features).sum(-1)
    last = teacher.targets[-1]

    def answer(tap: Any) -> Any:
        target = teacher.upper(tap)[last]
        logits = teacher.head(target)["logits"] if teacher.has_head else None
        if logits is None:
            return 0.5 * ops.sum(ops.square(target))
        return ops.sum(ops.max(logits, axis=-1))

    parts = []
    for start in range(0, len(features), batch_size):
        batch = np.asarray(features[start : start + batch_size], "float32")
        gradient = ops.convert_to_numpy(input_gradient(answer, batch))
        parts.append((gradient * batch).sum(-1))
    return np.concatenate(parts)
