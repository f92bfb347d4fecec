"""Calibrates, without a label, from which strength on a filter's part is there."""

from __future__ import annotations

import numpy as np

from keras_explainer.explainer.equivariance_error import (
    inside_view,
    positions_in_image,
)

MISSED_SHARE = 0.15
"""Share of the views in which a filter keeps its place that lie below its level."""
PLACE = 1.5
"""Two positions are the same place up to this distance, in cells of the map."""
LEAST_VIEWS = 20
"""Fewer views that show a filter's place calibrate nothing."""
LEAST_SHARE = 0.2
"""A filter that keeps its place in fewer of its views has no part to be there."""
NEVER = float(np.finfo("float32").max)


def presence_levels(
    maps: np.ndarray, boxes: np.ndarray, missed_share: float = MISSED_SHARE
) -> np.ndarray:
    """The level of each filter, from views of train images.

    A filter that has found its part finds it again where the image is cropped or
    mirrored; one that fires at random does not. So its strength in views in which it
    keeps its place is its strength on its part, and its level is the `missed_share`
    quantile of that. (Ours. Annotations are not needed, nor images without the part.)

    Args:
        maps: `(N, V, H, W, F)` before the mask; view 0 is the whole image.
        boxes: `(N, V, 5)`, see `ViewSpec`.
        missed_share: see above, in [0, 1).

    Returns:
        float64 `(F,)`. 0, "present where it fires", for a filter that was seen in fewer
        than `LEAST_VIEWS` views that show its place; `NEVER` for one that keeps it in
        less than `LEAST_SHARE` of them.
    """
    height, width, filters = maps.shape[2:]
    strength = maps.max((2, 3))
    y, x = positions_in_image(maps, boxes)
    # The place that the whole image has, at least a cell from the view's border.
    rim = (PLACE / height, PLACE / width)
    shown = inside_view(y[:, :1], x[:, :1], boxes[:, 1:], rim) & (strength[:, :1] > 0)
    away = np.hypot((y[:, 1:] - y[:, :1]) * height, (x[:, 1:] - x[:, :1]) * width)
    kept = shown & (away <= PLACE) & (strength[:, 1:] > 0)
    levels = np.zeros(filters)
    for f in range(filters):
        seen, same = shown[..., f].sum(), kept[..., f].sum()
        if seen < LEAST_VIEWS:
            continue
        levels[f] = (
            np.quantile(strength[:, 1:, f][kept[..., f]], missed_share)
            if same >= LEAST_SHARE * seen
            else NEVER
        )
    return levels
