"""How alike the maps of different filters are."""

from __future__ import annotations

from typing import Any

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import BoolArray, as_maps
from keras_explainer.metrics.co_moments import CoMoments


def filter_correlation(maps: Any, live: BoolArray) -> float | None:
    """Mean absolute Pearson correlation over all pairs of live filters.

    Maps are flattened over images and cells. Lower is better: filters differ. A filter
    whose map is one constant has no correlation and is left out.

    Args:
        maps: (N, H, W, C) maps before the mask.
        live: (C,) which filters to use, as `Positions.live`.

    Returns:
        0 to 1; `None` with fewer than two live filters that change.

    Raises:
        DataError: `maps` cannot be used or `live` is not of its filters.
    """
    maps = as_maps(maps)
    if live.shape != maps.shape[-1:]:
        raise DataError(
            f"live has the shape {live.shape}; the maps have {maps.shape[-1]} filters."
        )
    moments = CoMoments(maps.shape[-1])
    moments.update(maps.reshape(-1, maps.shape[-1]))
    return moments.mean_absolute_correlation(live)
