"""Streaming means and co-moments of feature channels."""

from __future__ import annotations

import numpy as np

from keras_explainer.metrics.array_inputs import BoolArray, FloatArray


class CoMoments:
    """Centred second moments of C channels, merged batch by batch.

    Each batch is centred at its own mean and merged by the update of Chan, Golub and
    LeVeque (1979), so that channels with a mean far above their spread keep their
    precision and the split into batches does not matter.

    Args:
        channels: number of channels C.
    """

    def __init__(self, channels: int) -> None:
        self.count = 0
        self.mean: FloatArray = np.zeros(channels)
        self.products: FloatArray = np.zeros((channels, channels))
        self.minimum: FloatArray = np.full(channels, np.inf)
        self.maximum: FloatArray = np.full(channels, -np.inf)

    def update(self, values: FloatArray) -> None:
        """Adds observations (M, C), M at least 1."""
        added = len(values)
        mean = values.mean(0)
        centred = values - mean
        step = mean - self.mean
        total = self.count + added
        self.products += centred.T @ centred
        self.products += np.outer(step, step * (self.count * added / total))
        self.mean += step * (added / total)
        self.count = total
        np.minimum(self.minimum, values.min(0), out=self.minimum)
        np.maximum(self.maximum, values.max(0), out=self.maximum)

    def mean_absolute_correlation(self, use: BoolArray) -> float | None:
        """Mean |Pearson r| over all pairs of the channels in `use` (C,).

        Channels that never change are left out; `None` with fewer than two others.
        """
        squares = np.diag(self.products)
        # Rounding of a mean gives a constant channel a spread; its range is exact.
        use = use & (self.maximum > self.minimum) & (squares > 0)
        chosen = np.flatnonzero(use)
        if len(chosen) < 2:
            return None
        scale = np.sqrt(squares[chosen])
        r = np.abs(self.products[np.ix_(chosen, chosen)] / scale / scale[:, None])
        upper = r[np.triu_indices(len(chosen), 1)]
        return float(np.minimum(upper, 1).mean())
