"""How many different cells the filters of an image sit on."""

from __future__ import annotations

import numpy as np

from keras_explainer.metrics.positions import Positions


def distinct_positions(positions: Positions) -> float | None:
    """Effective number of cells that hold the live filters' positions.

    Per image, exp of the Shannon entropy of the share of live filters at each cell;
    mean over the images where one is not silent. Copies of one filter score 1. Higher
    is better.

    Args:
        positions: of C filters in N images.

    Returns:
        1 to min(C, H·W); `None` when no live filter fires.
    """
    images = len(positions.cell)
    cells = positions.map_shape[0] * positions.map_shape[1]
    use = positions.live & ~positions.silent
    flat = (np.arange(images)[:, None] * cells + positions.cell)[use]
    count = np.bincount(flat, minlength=images * cells).reshape(images, cells)
    count = count[use.any(1)]
    if not len(count):
        return None
    share = count / count.sum(1, keepdims=True)
    # x log x is 0 at 0: an empty cell adds nothing.
    entropy = -(share * np.log(np.where(count > 0, share, 1))).sum(1)
    return float(np.exp(entropy).mean())
