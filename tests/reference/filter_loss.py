"""Filter loss, from the equations, in float64 and by loops."""

from __future__ import annotations

import numpy as np
from reference.part_mask import templates


def information(one, beta=4.0, tau=None):
    """`MI(X ; T)` in nats of one filter's maps (N, H, W).

    `MI = Σ_T p(T) Σ_x p(x|T) log(p(x|T) / p(x))`, `p(x|T) = exp(tr(x·T)) / Z_T`.
    """
    one = np.asarray(one, "float64")
    count, height, width = one.shape
    cells = height * width
    tau = 0.5 / cells if tau is None else tau
    absent = np.full((1, cells), -tau)
    all_templates = np.concatenate([absent, templates(height, width, beta, tau)])
    share = cells / (1 + cells)
    prior = np.array([1 - share] + [share / cells] * cells)

    conditional = np.empty((len(all_templates), count))
    for t, pattern in enumerate(all_templates):
        scores = np.array([(x.ravel() * pattern).sum() for x in one])
        weights = np.exp(scores - scores.max())
        conditional[t] = weights / weights.sum()
    marginal = (prior[:, None] * conditional).sum(0)

    total = 0.0
    for t in range(len(all_templates)):
        for x in range(count):
            p = conditional[t, x]
            if p > 0:
                total += prior[t] * p * np.log(p / marginal[x])
    return total


def filter_loss(maps, beta=4.0, tau=None, temperature=None):
    """`-MI` of each filter, (F,), of maps (N, H, W, F)."""
    maps = np.asarray(maps, "float64")
    out = []
    for f in range(maps.shape[-1]):
        one = maps[..., f]
        if temperature is not None and one.mean() > 0:
            one = one * temperature / one.mean()
        out.append(-information(one, beta, tau))
    return np.array(out)


def numerical_gradient(function, at, step=1e-5):
    """The gradient of a scalar function by central differences, float64."""
    at = np.asarray(at, "float64")
    out = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += step
        down[index] -= step
        out[index] = (function(up) - function(down)) / (2 * step)
    return out
