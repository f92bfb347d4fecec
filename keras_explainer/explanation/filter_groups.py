"""`filter_groups`: filters whose positions lie together, image by image."""

from __future__ import annotations

import numpy as np

from keras_explainer.metrics import Positions

NEAR = 1.5
"""Positions lie together up to this distance, in cells of the map."""
LEAST_SHARE = 0.5
"""Of the images, on average over the pairs of two groups, for them to be one."""


def filter_groups(
    positions: Positions, near: float = NEAR, least_share: float = LEAST_SHARE
) -> tuple[tuple[int, ...], ...]:
    """Groups of live filters that follow the same part.

    Two filters agree in an image if both fire and their positions are at most `near`
    cells apart. Groups are joined, those first that agree in the largest share of the
    images (mean over the pairs of their filters), as long as that is `least_share`.

    Args:
        positions: Of F filters in N images.
        near, least_share: See above.

    Returns:
        Groups of at least two filters, the largest first; filters in order.
    """
    share = agreement(positions, near)
    live = np.flatnonzero(positions.live)
    groups = [[int(f)] for f in live]
    # Sums over the pairs between groups; the mean is taken when they are compared.
    total = share[np.ix_(live, live)]
    sizes = np.ones(len(live))
    np.fill_diagonal(total, -np.inf)
    while len(groups) > 1:
        mean = total / np.outer(sizes, sizes)
        first, second = np.unravel_index(int(mean.argmax()), mean.shape)
        if mean[first, second] < least_share:
            break
        first, second = min(first, second), max(first, second)
        groups[first] += groups.pop(second)
        total[first] += total[second]
        total[:, first] += total[:, second]
        total[first, first] = -np.inf
        total = np.delete(np.delete(total, second, 0), second, 1)
        sizes[first] += sizes[second]
        sizes = np.delete(sizes, second)
    kept = [tuple(sorted(group)) for group in groups if len(group) > 1]
    return tuple(sorted(kept, key=lambda group: (-len(group), group)))


def agreement(positions: Positions, near: float = NEAR) -> np.ndarray:
    """(F, F) share of the images in which two filters' positions lie together.

    Of the images in which either fires.
    """
    row, column = np.divmod(positions.cell, positions.map_shape[1])
    fires = ~positions.silent
    filters = positions.cell.shape[1]
    together, either = np.zeros((filters, filters)), np.zeros((filters, filters))
    for image in range(len(positions.cell)):
        apart = np.hypot(
            row[image][:, None] - row[image], column[image][:, None] - column[image]
        )
        on = fires[image]
        together += (apart <= near) & on & on[:, None]
        either += on | on[:, None]
    return together / np.maximum(either, 1)
