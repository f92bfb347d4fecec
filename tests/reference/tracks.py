"""Channel norm, gate, distillation and share loss, from the equations, in float64."""

from __future__ import annotations

import math

import numpy as np


def running_alpha(batches, momentum, epsilon=1e-5, floor=0.01):
    """`alpha_k` after batches: their means, weighted by age, the weights summing to 1.

    Batch `i` of `n` has weight `momentum^(n - 1 - i)`.
    """
    ages = np.arange(len(batches))[::-1]
    weights = momentum ** ages.astype("float64") if momentum else (ages == 0) * 1.0
    means = [
        np.maximum(np.asarray(batch, "float64"), 0).reshape(-1, batch.shape[-1]).mean(0)
        for batch in batches
    ]
    mean = sum(w * m for w, m in zip(weights, means, strict=True)) / weights.sum()
    return np.maximum(mean, max(epsilon, floor * mean.mean()))


def gate(interpretable, ordinary, logit):
    """`p · x_interp + (1 - p) · x_ordin`, `p = 1 / (1 + exp(-w))`."""
    share = 1 / (1 + math.exp(-logit))
    return share * np.asarray(interpretable, "float64") + (1 - share) * np.asarray(
        ordinary, "float64"
    )


def share_loss(logit):
    """`-log p`."""
    return -math.log(1 / (1 + math.exp(-logit)))


def relative_squared_error(features, reconstruction, total_variance):
    """Mean over images of `‖x - x*‖² / V`."""
    errors = [
        sum(
            (float(a) - float(b)) ** 2
            for a, b in zip(np.ravel(x), np.ravel(y), strict=True)
        )
        for x, y in zip(features, reconstruction, strict=True)
    ]
    return float(np.mean(errors)) / total_variance
