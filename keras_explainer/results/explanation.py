"""`Explanation`: what an explainer found in one image."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.results.class_score import ClassScore
from keras_explainer.results.mask_cells import mask_cells
from keras_explainer.results.part_finding import PartFinding
from keras_explainer.results.plain_text import (
    decimal,
    html_table,
    one_line,
    text_table,
)
from keras_explainer.results.reading import (
    SCHEMA_VERSION,
    check_version,
    listed,
    number,
    optional,
    reading,
    text,
    two,
    whole,
)

_HEADER = ("part", "strength", "relative", "y", "x", "top", "left", "bottom", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an explainer found in one image.

    Attributes:
        index: Number of the image among those explained together, from 0.
        image: Name of the image, None if it has none.
        image_size: (height, width) in pixels.
        answer: The teacher's own class and its score; None where the teacher's answer
            does not follow from its last target, or is no list of classes.
        reconstruction: The same class, as the teacher's head scores it on the
            reconstruction. Far from `answer`, the parts explain another answer.
        reconstruction_answer: The class with the highest score on the reconstruction.
        share: `p`, the share of the interpretable track, in (0, 1).
        filters: Filters of the explainer.
        map_size: (rows, columns) of the filters' maps.
        beta: Slope of the part masks.
        parts: The filters' findings by rank, see `PartFinding.relative_strength`;
            filters whose part is absent come last. All filters, or the strongest.
    """

    index: int
    image: str | None
    image_size: tuple[int, int]
    answer: ClassScore | None
    reconstruction: ClassScore | None
    reconstruction_answer: ClassScore | None
    share: float
    filters: int
    map_size: tuple[int, int]
    beta: float
    parts: tuple[PartFinding, ...]

    @property
    def title(self) -> str:
        """The image's name, or 'image 7'."""
        return f"image {self.index}" if self.image is None else self.image

    @property
    def present(self) -> tuple[PartFinding, ...]:
        """The parts that are in the image, by rank."""
        return tuple(part for part in self.parts if part.present)

    def part(self, filter: int) -> PartFinding:
        """The finding of a filter.

        Raises:
            DataError: There is no such filter, or only the strongest were kept.
        """
        for part in self.parts:
            if part.filter == filter:
                return part
        why = (
            f"only the {len(self.parts)} strongest were kept: explain without k"
            if 0 <= filter < self.filters
            else f"the explainer's are 0 to {self.filters - 1}"
        )
        raise DataError(
            f"The explanation of {self.title} has no filter {filter}; {why}."
        )

    def masks(self) -> np.ndarray:
        """The part masks on the cells of the map, in the order of `parts`.

        Returns:
            float32 (len(parts), rows, columns), values in [0, 1]; 1 at a peak, all 0
            where the map is silent.
        """
        masks = np.zeros((len(self.parts), *self.map_size), "float32")
        for at, part in enumerate(self.parts):
            masks[at] = mask_cells(part.cells, self.map_size, self.beta)
        return masks

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        scores = {
            name: None if score is None else score.to_dict()
            for name, score in (
                ("answer", self.answer),
                ("reconstruction", self.reconstruction),
                ("reconstruction_answer", self.reconstruction_answer),
            )
        }
        return {
            "schema_version": SCHEMA_VERSION,
            "index": self.index,
            "image": self.image,
            "image_size": list(self.image_size),
            **scores,
            "share": self.share,
            "filters": self.filters,
            "map_size": list(self.map_size),
            "beta": self.beta,
            "parts": [part.to_dict() for part in self.parts],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Explanation:
        """Of `to_dict`.

        Raises:
            DataError: It is something else, or of another schema version.
        """
        check_version(data, "explanation")
        with reading("explanation"):
            return cls(
                index=whole(data["index"]),
                image=optional(data["image"], text),
                image_size=two(data["image_size"]),
                answer=optional(data["answer"], ClassScore.from_dict),
                reconstruction=optional(data["reconstruction"], ClassScore.from_dict),
                reconstruction_answer=optional(
                    data["reconstruction_answer"], ClassScore.from_dict
                ),
                share=number(data["share"]),
                filters=whole(data["filters"]),
                map_size=two(data["map_size"]),
                beta=number(data["beta"]),
                parts=tuple(listed(data["parts"], PartFinding.from_dict)),
            )

    def table(self, parts: int | None = None) -> str:
        """A text table.

        Args:
            parts: How many parts, by rank; None for all.
        """
        lines = [one_line(line) for line in self._summary()]
        return "\n".join([*lines, "", text_table(_HEADER, self._rows(parts))])

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._summary())
        return f"<div><p>{lines}</p>{html_table(_HEADER, self._rows(None))}</div>"

    def _summary(self) -> list[str]:
        height, width = self.image_size
        lines = [f"{self.title}: {height} x {width} pixels"]
        if self.answer is not None:
            lines.append(f"teacher: {self.answer}")
        if self.reconstruction is not None:
            line = f"reconstruction: {self.reconstruction}"
            own = self.reconstruction_answer
            if own and own.class_index != self.reconstruction.class_index:
                line += f" (its own answer: {own})"
            lines.append(line)
        shown = "all" if len(self.parts) == self.filters else f"{len(self.parts)} of"
        lines.append(
            f"p {decimal(self.share, 3)}; {shown} {self.filters} filters, "
            f"{len(self.present)} parts present"
        )
        return lines

    def _rows(self, parts: int | None) -> list[tuple[str, ...]]:
        rows = []
        for part in self.parts[:parts]:
            places = (*(part.position or (None,) * 2), *(part.box or (None,) * 4))
            rows.append(
                (
                    part.title + ("" if part.present else ": absent"),
                    decimal(part.strength, 3),
                    decimal(part.relative_strength, 1),
                    *(decimal(place, 1) for place in places),
                )
            )
        return rows
