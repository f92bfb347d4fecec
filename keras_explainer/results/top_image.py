"""`TopImage`: one of the images in which a filter fires most strongly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.results.part_finding import PartFinding
from keras_explainer.results.reading import optional, reading, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class TopImage:
    """An image in which a filter fires, and where.

    Attributes:
        index: Number of the image among those that were summarised, from 0.
        image: Name of the image, None if it has none.
        finding: What the filter found there.
    """

    index: int
    image: str | None
    finding: PartFinding

    @property
    def title(self) -> str:
        """The image's name, or 'image 7'."""
        return f"image {self.index}" if self.image is None else self.image

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return {
            "index": self.index,
            "image": self.image,
            "finding": self.finding.to_dict(),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TopImage:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("top image"):
            return cls(
                index=whole(data["index"]),
                image=optional(data["image"], text),
                finding=PartFinding.from_dict(data["finding"]),
            )
