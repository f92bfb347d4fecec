"""Images that the start is made from: spread over the train images."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.explainer.data_input import FeatureStream

START_IMAGES = 256
START_MAPS = 1024


def in_memory(features: FeatureCache | FeatureStream) -> FeatureCache:
    """Cached features as they are; of a stream those of its first images."""
    if isinstance(features, FeatureCache):
        return features
    return features.sample(START_IMAGES)


def start_tap(features: FeatureCache) -> np.ndarray:
    """Two views of some of these images, `(n, H, W, C)`, `START_IMAGES` at most."""
    rows = start_rows(features)
    # Spread: the images may be sorted by what they show.
    rows = rows[:: max(1, 2 * len(rows) // START_IMAGES)]
    tap = np.asarray(features.tap[rows, :2], "float32")
    return tap.reshape(-1, *tap.shape[2:])[:START_IMAGES]


def start_sample(features: FeatureCache) -> tuple[np.ndarray, np.ndarray]:
    """Features and boxes of images spread over the cache, `START_MAPS` maps at most."""
    rows: Any = start_rows(features)
    if len(rows) == len(features):
        rows = slice(None)  # no copy
    return np.asarray(features.tap[rows], "float32"), features.boxes[rows]


def start_rows(features: FeatureCache) -> np.ndarray:
    """Rows of those images."""
    count = max(1, min(len(features), START_MAPS // features.views))
    return np.unique(np.linspace(0, len(features) - 1, count).astype(int))
