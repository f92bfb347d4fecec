"""Templates and part mask, from the equations, in float64 and by loops."""

from __future__ import annotations

import numpy as np


def template(height, width, peak, beta, tau):
    """`T_mu(ij) = tau · max(1 - beta · ‖(i, j) - mu‖_1 / n, -1)`, n the longer side."""
    n = max(height, width)
    out = np.empty((height, width))
    for i in range(height):
        for j in range(width):
            distance = abs(i - peak[0]) + abs(j - peak[1])
            out[i, j] = tau * max(1 - beta * distance / n, -1)
    return out


def templates(height, width, beta, tau=None):
    """All `T_mu`, (height · width, height · width), `mu` in row-major order."""
    tau = 0.5 / (height * width) if tau is None else tau
    return np.stack(
        [
            template(height, width, (i, j), beta, tau).ravel()
            for i in range(height)
            for j in range(width)
        ]
    )


def first_peak(one):
    """The first cell in row-major order that has the maximum."""
    best, at = -np.inf, (0, 0)
    for i in range(one.shape[0]):
        for j in range(one.shape[1]):
            if one[i, j] > best:
                best, at = one[i, j], (i, j)
    return at


def mask(maps, beta=4.0, peaks=1):
    """Masks (N, H, W, F): the positive part of `T_mu / tau` at each map's peaks."""
    maps = np.asarray(maps, "float64")
    count, height, width, filters = maps.shape
    out = np.zeros(maps.shape)
    for n in range(count):
        for f in range(filters):
            one = maps[n, :, :, f].copy()
            for peak in range(peaks):
                if peak and one.max() <= 0:
                    break
                around = template(height, width, first_peak(one), beta, 1.0).clip(0)
                out[n, :, :, f] = np.maximum(out[n, :, :, f], around)
                one[out[n, :, :, f] > 0] = 0
    return out


def part_mask(maps, beta=4.0, peaks=1):
    """The layer's output, `x · mask`."""
    return np.asarray(maps, "float64") * mask(maps, beta, peaks)
