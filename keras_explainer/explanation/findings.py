"""`Findings`: from the maps of a batch to the parts that they found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from keras_explainer.explanation.geometry import AREA_LEVEL, part_box
from keras_explainer.explanation.ranking import rank
from keras_explainer.metrics import Positions, positions
from keras_explainer.results import PartFinding, PartNames, mask_cells

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer


class Findings:
    """What the filters found in the images of a batch.

    Args:
        explainer: With its teacher.
        maps: (n, H, W, F) before the mask.
        masks: (n, H, W, F), if the mask keeps several peaks.

    Attributes:
        image_size, map_size: (height, width) in pixels and in cells.
        beta: Slope of the part mask.
        calibrated: Whether presence was calibrated.
        positions: Of all filters in the n images.
        present: (n, F) bool, whether each part is in each image.
    """

    def __init__(
        self, explainer: Explainer, maps: np.ndarray, masks: np.ndarray | None
    ) -> None:
        teacher = explainer.teacher
        height, width = teacher.input_shape[:2]
        self.image_size = (int(height), int(width))
        self.map_size = (int(maps.shape[1]), int(maps.shape[2]))
        self.beta = explainer.encoder.conv_2.beta
        self.calibrated = explainer.presence.is_calibrated
        self._geometry = teacher.geometry
        self.positions = positions(maps, self.image_size)
        self._areas: dict[tuple[tuple[int, int], ...], np.ndarray] = {}
        self._others = _other_peaks(maps, masks, self.positions)
        self.present = explainer.presence.present(self.positions.strength)

    def parts(
        self,
        row: int,
        scales: np.ndarray,
        contributions: np.ndarray | None,
        names: PartNames | None,
        k: int | None,
        shares: np.ndarray | None = None,
    ) -> tuple[PartFinding, ...]:
        """The findings of one image by rank, see `Explanation.parts`.

        Args:
            row: Of the batch.
            scales: (F,), see `ranking.scales`.
            contributions: (F,), or None.
            names: Of the filters.
            k: Keep the first that are present, None keeps all.
            shares: (H, W), of each cell, or None.
        """
        strength = self.positions.strength[row]
        relative, present = strength / scales, self.present[row]
        order = rank(relative if contributions is None else contributions, present)
        if k is not None:
            order = order[: min(k, int(present.sum()))]
        # Pooled tracks have other cells than the maps.
        known = shares is not None and shares.shape == self.map_size
        return tuple(
            self.part(
                row,
                int(at),
                float(relative[at]),
                None if contributions is None else float(contributions[at]),
                names,
                shares if known else None,
            )
            for at in order
        )

    def part(
        self,
        row: int,
        filter: int,
        relative: float,
        contribution: float | None,
        names: PartNames | None,
        shares: np.ndarray | None = None,
    ) -> PartFinding:
        """The finding of one filter in one image of the batch, see `parts`."""
        strength = float(self.positions.strength[row, filter])
        silent = strength <= 0
        cell = divmod(int(self.positions.cell[row, filter]), self.map_size[1])
        further: tuple[tuple[int, int], ...] = ()
        if self._others is not None and not silent:
            further = tuple(_pairs(self._others[row, :, :, filter]))
        peaks = (cell, *further)
        named = None if names is None else names.of(filter)
        area = None
        if shares is not None and not silent:
            area = float(shares[self._area(peaks)].sum())
        return PartFinding(
            filter=filter,
            present=bool(self.present[row, filter]),
            strength=strength,
            relative_strength=relative,
            cell=None if silent else cell,
            position=None if silent else self._geometry.cell_centre(*cell),
            box=(
                None
                if silent
                else part_box(peaks, self.image_size, self.map_size, self.beta)
            ),
            other_cells=further,
            name=None if named is None else named.name,
            name_confidence=None if named is None else named.confidence,
            contribution=contribution,
            area_contribution=area,
        )

    def _area(self, peaks: tuple[tuple[int, int], ...]) -> np.ndarray:
        """(H, W) true where the mask of these peaks is at least `AREA_LEVEL`."""
        if peaks not in self._areas:
            mask = mask_cells(peaks, self.map_size, self.beta)
            self._areas[peaks] = mask >= AREA_LEVEL
        return self._areas[peaks]


def _other_peaks(
    maps: np.ndarray, masks: np.ndarray | None, found: Positions
) -> np.ndarray | None:
    """(n, H, W, F) true at the peaks that the mask kept beside the strongest.

    The mask is 1 at its peaks only. Where a map is 0 outside of the masks before, the
    layer puts a further one on silent cells: these are no peaks.
    """
    if masks is None:
        return None
    peaks = (masks == 1) & (maps > 0)
    flat = peaks.reshape(len(peaks), -1, peaks.shape[-1])
    np.put_along_axis(flat, found.cell[:, None], False, axis=1)
    return flat.reshape(peaks.shape)


def _pairs(cells: np.ndarray) -> Iterator[tuple[int, int]]:
    for row, column in np.argwhere(cells):
        yield int(row), int(column)
