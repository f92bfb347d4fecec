"""`PartFinding`: what one filter found in one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.reading import (
    flag,
    listed,
    number,
    optional,
    reading,
    text,
    two,
    whole,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFinding:
    """What one filter found in one image.

    Pixels are those of the image as given, (y, x), from its top left corner; a pixel's
    centre is at its index + 0.5.

    Attributes:
        filter: Index of the filter, from 0.
        present: Whether the filter's part is in the image: its map is above 0 and, if
            presence was calibrated, reaches the filter's level.
        strength: Maximum of the filter's map before the mask, at least 0.
        relative_strength: Comparable between filters, which strengths are not:
            `strength` divided by the sum of the filter's mean activation over train
            images and cells and of the median of this mean over the filters.
        cell: (row, column) of the map's maximum, the first in row-major order on a tie;
            None where the map is silent.
        position: (y, x) of the centre of that cell of the image divided into the map's
            rows and columns, in pixels; None where the map is silent.
        box: (top, left, bottom, right) in pixels, within the image, around the area in
            which the part mask is at least 0.5; None where the map is silent.
        other_cells: Further peaks that the mask kept, if it keeps more than one.
        name: Name of the part, None if it has none.
        name_confidence: How sure the name is, 0 to 1; None for one given by hand.
        contribution: Of the filter to the logit of the explained class, in units of
            the logit; None where it was not computed. A filter whose part is absent
            may speak for or against a class too.
        area_contribution: Of what lies in the area of the part, where its mask is at
            least 0.5, as all filters and the ordinary track read it, in the same units;
            None where it was not computed, or the map is silent.
    """

    filter: int
    present: bool
    strength: float
    relative_strength: float
    cell: tuple[int, int] | None
    position: tuple[float, float] | None
    box: tuple[float, float, float, float] | None
    other_cells: tuple[tuple[int, int], ...] = ()
    name: str | None = None
    name_confidence: float | None = None
    contribution: float | None = None
    area_contribution: float | None = None

    @property
    def cells(self) -> tuple[tuple[int, int], ...]:
        """All peaks of the mask, the strongest first; none where the map is silent."""
        return () if self.cell is None else (self.cell, *self.other_cells)

    @property
    def title(self) -> str:
        """'filter 7', with the part's name where it has one."""
        return f"filter {self.filter}" + (f" ({self.name})" if self.name else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; pairs and boxes are lists."""
        return {
            key: _listed(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PartFinding:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("part finding"):
            position = optional(data["position"], lambda pair: listed(pair, number, 2))
            box = optional(data["box"], lambda sides: listed(sides, number, 4))
            return cls(
                filter=whole(data["filter"]),
                present=flag(data["present"]),
                strength=number(data["strength"]),
                relative_strength=number(data["relative_strength"]),
                cell=optional(data["cell"], two),
                position=None if position is None else (position[0], position[1]),
                box=None if box is None else (box[0], box[1], box[2], box[3]),
                other_cells=tuple(listed(data.get("other_cells", []), two)),
                name=optional(data.get("name"), text),
                name_confidence=optional(data.get("name_confidence"), number),
                contribution=optional(data.get("contribution"), number),
                area_contribution=optional(data.get("area_contribution"), number),
            )


def _listed(values: tuple[Any, ...]) -> list[Any]:
    return [_listed(v) if isinstance(v, tuple) else v for v in values]
