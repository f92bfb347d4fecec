"""`TopImages`: the images in which each filter fires most strongly, in a stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_explainer.results import PartFinding


class TopImages:
    """Keeps the strongest findings of each filter while batches go by.

    Args:
        filters: Number of filters.
        count: Images kept for each filter, 0 for none.
    """

    def __init__(self, filters: int, count: int) -> None:
        self.count = count
        self._strength = np.full((filters, count), -np.inf)
        self._found: list[list[tuple[int, PartFinding]]] = [[] for _ in range(filters)]

    def update(
        self,
        index: int,
        strength: np.ndarray,
        finding: Callable[[int, int], PartFinding],
    ) -> None:
        """Takes a batch of n images.

        Args:
            index: Number of the first image.
            strength: (n, F) maximum of each map.
            finding: Gives what a filter found, of (row, filter); asked only for what is
                kept.
        """
        if not self.count:
            return
        fires = np.where(strength > 0, strength, -np.inf).T
        both = np.concatenate([self._strength, fires], 1)
        # Stable: of equal strengths the earlier image stays first.
        order = np.argsort(-both, axis=1, kind="stable")[:, : self.count]
        entered = (order >= self.count) & np.isfinite(
            np.take_along_axis(both, order, 1)
        )
        for filter in np.flatnonzero(entered.any(1)):
            old = self._found[filter]
            new: list[tuple[int, PartFinding]] = []
            for place in order[filter].tolist():
                if place < self.count:
                    new += old[place : place + 1]
                elif np.isfinite(both[filter, place]):
                    row = place - self.count
                    new.append((index + row, finding(row, int(filter))))
            self._found[filter] = new
        self._strength = np.take_along_axis(both, order, 1)

    def of(self, filter: int) -> list[tuple[int, PartFinding]]:
        """(number of the image, finding) of a filter, the strongest first."""
        return list(self._found[filter])
