"""Separation loss, from its definition, in float64 and by loops."""

from __future__ import annotations

import numpy as np


def entropy(q):
    return -sum(float(p) * np.log(p) for p in np.ravel(q) if p > 0)


def separation_loss(maps, sharpness=2.0):
    """`-(H(mean_f q_f) - mean_f H(q_f))`, mean over images; silent filters left out."""
    maps = np.asarray(maps, "float64")
    out = []
    for image in maps:
        places = [
            (one / one.max()) ** sharpness / ((one / one.max()) ** sharpness).sum()
            for one in np.moveaxis(image, -1, 0)
            if one.max() > 0
        ]
        if not places:
            out.append(0.0)
            continue
        mixture = np.mean(places, axis=0)
        out.append(np.mean([entropy(q) for q in places]) - entropy(mixture))
    return float(np.mean(out))
