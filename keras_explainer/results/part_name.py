"""`PartName`: which part a filter follows, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.reading import number, optional, reading, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """The name of a filter's part.

    Attributes:
        filter: Index of the filter, from 0.
        name: Of the part.
        confidence: Share of resamplings of the images in which the filter followed
            this part, and no other more closely, 0 to 1; None for a name by hand.
        r2: R² of the filter's position and the part's over all images that were used;
            None for a name by hand.
        images: Images that show the part and were used; None for a name by hand.
    """

    filter: int
    name: str
    confidence: float | None = None
    r2: float | None = None
    images: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PartName:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("part name"):
            return cls(
                filter=whole(data["filter"]),
                name=text(data["name"]),
                confidence=optional(data.get("confidence"), number),
                r2=optional(data.get("r2"), number),
                images=optional(data.get("images"), whole),
            )
