"""`FilterUse`: how much one filter counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.reading import number, optional, reading, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterUse:
    """A filter that counts in one model and in the other has no counterpart that does.

    Attributes:
        filter: Index, from 0.
        use: Share of the absolute contributions of all filters, mean over the images,
            0 to 1; None without contributions.
        name: Name of its part, None if it has none.
    """

    filter: int
    use: float | None
    name: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FilterUse:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("filter's use"):
            return cls(
                filter=whole(data["filter"]),
                use=optional(data["use"], number),
                name=optional(data.get("name"), text),
            )
