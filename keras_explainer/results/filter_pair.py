"""`FilterPair`: two filters of two explainers that are matched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.reading import flag, number, optional, reading, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterPair:
    """A filter of explainer A and the one of explainer B that is matched with it.

    Attributes:
        filter_a, filter_b: Indices, from 0.
        similarity: Pearson correlation of their masked maps over all images and cells.
        corresponds: Whether the similarity is beyond what other images' maps give.
        use_a, use_b: Share of the absolute contributions of all filters, mean over the
            images, 0 to 1; None without contributions.
        name_a, name_b: Names of the parts, None where they have none.
    """

    filter_a: int
    filter_b: int
    similarity: float
    corresponds: bool
    use_a: float | None = None
    use_b: float | None = None
    name_a: str | None = None
    name_b: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FilterPair:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("filter pair"):
            return cls(
                filter_a=whole(data["filter_a"]),
                filter_b=whole(data["filter_b"]),
                similarity=number(data["similarity"]),
                corresponds=flag(data["corresponds"]),
                use_a=optional(data.get("use_a"), number),
                use_b=optional(data.get("use_b"), number),
                name_a=optional(data.get("name_a"), text),
                name_b=optional(data.get("name_b"), text),
            )
