"""`Explanation`: what an explainer found in one image."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.results.class_score import ClassScore
from keras_explainer.results.contributions import Contributions
from keras_explainer.results.faithfulness import faithfulness_warnings
from keras_explainer.results.mask_cells import mask_cells
from keras_explainer.results.part_finding import PartFinding
from keras_explainer.results.plain_text import (
    decimal,
    html_table,
    one_line,
    signed,
    text_table,
)
from keras_explainer.results.reading import (
    SCHEMA_VERSION,
    check_version,
    flag,
    listed,
    number,
    optional,
    reading,
    text,
    two,
    whole,
)

_HEADER = ("part", "strength", "relative", "y", "x", "top", "left", "bottom", "right")
_SCORES = ("answer", "explained", "reconstruction", "reconstruction_answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What an explainer found in one image.

    Attributes:
        index: Number of the image among those explained together, from 0.
        image: Name of the image, None if it has none.
        image_size: (height, width) in pixels.
        answer: The teacher's own class, the one with the highest output, and its
            score; None where the teacher's answer does not follow from its last
            target, or is no list of classes.
        explained: The class that is explained, `answer` if no other was asked for, as
            the teacher scores it.
        reconstruction: The explained class, as the teacher's head scores it on the
            reconstruction. Far from `explained`, parts explain another answer.
        reconstruction_answer: The class with the highest score on the reconstruction.
        activation: The teacher's last, "softmax", "sigmoid" or "linear"; None without
            logits.
        share: `p`, the share of the interpretable track, in (0, 1).
        filters: Filters of the explainer.
        map_size: (rows, columns) of the filters' maps.
        beta: Slope of the part masks.
        parts: The filters' findings by rank: parts that are present before those that
            are absent, then the largest contribution first, or the highest
            `PartFinding.relative_strength` where there are no contributions. All
            filters, or the first.
        contributions: How the logit of the explained class is shared out; None with
            the reason in `no_contributions`.
        no_contributions: Why there are none; None where there are.
        presence_calibrated: Whether `PartFinding.present` rests on levels that were
            calibrated on train images; else a part is present where its filter fires.
    """

    index: int
    image: str | None
    image_size: tuple[int, int]
    answer: ClassScore | None
    explained: ClassScore | None = None
    reconstruction: ClassScore | None
    reconstruction_answer: ClassScore | None
    activation: str | None = None
    share: float
    filters: int
    map_size: tuple[int, int]
    beta: float
    parts: tuple[PartFinding, ...]
    contributions: Contributions | None = None
    no_contributions: str | None = None
    presence_calibrated: bool = False

    @property
    def title(self) -> str:
        """The image's name, or 'image 7'."""
        return f"image {self.index}" if self.image is None else self.image

    @property
    def present(self) -> tuple[PartFinding, ...]:
        """The parts that are in the image, by rank."""
        return tuple(part for part in self.parts if part.present)

    @property
    def logit_gap(self) -> float | None:
        """The explained class' logit on the reconstruction minus the teacher's."""
        if self.explained is None or self.reconstruction is None:
            return None
        mine, theirs = self.reconstruction.logit, self.explained.logit
        return None if mine is None or theirs is None else mine - theirs

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why this explanation is not to be trusted, see `faithfulness_warnings`."""
        return faithfulness_warnings(
            self.explained,
            self.reconstruction,
            self.answer,
            self.reconstruction_answer,
            self.activation,
            self.contributions,
        )

    def part(self, filter: int) -> PartFinding:
        """The finding of a filter.

        Raises:
            DataError: There is no such filter, or only the strongest were kept.
        """
        for part in self.parts:
            if part.filter == filter:
                return part
        why = (
            f"only the first {len(self.parts)} were kept: explain without k"
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
        scores = {name: getattr(self, name) for name in _SCORES}
        shared = self.contributions
        return {
            "schema_version": SCHEMA_VERSION,
            "index": self.index,
            "image": self.image,
            "image_size": list(self.image_size),
            **{
                name: None if score is None else score.to_dict()
                for name, score in scores.items()
            },
            "activation": self.activation,
            "logit_gap": self.logit_gap,
            "warnings": list(self.warnings),
            "share": self.share,
            "filters": self.filters,
            "map_size": list(self.map_size),
            "beta": self.beta,
            "contributions": None if shared is None else shared.to_dict(),
            "no_contributions": self.no_contributions,
            "presence_calibrated": self.presence_calibrated,
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
                explained=optional(data.get("explained"), ClassScore.from_dict),
                activation=optional(data.get("activation"), text),
                contributions=optional(
                    data.get("contributions"), Contributions.from_dict
                ),
                no_contributions=optional(data.get("no_contributions"), text),
                presence_calibrated=flag(data.get("presence_calibrated", False)),
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
        return "\n".join([*lines, "", text_table(self._header(), self._rows(parts))])

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        lines = "<br>".join(html.escape(line) for line in self._summary())
        table = html_table(self._header(), self._rows(None))
        return f"<div><p>{lines}</p>{table}</div>"

    def _summary(self) -> list[str]:
        height, width = self.image_size
        lines = [f"{self.title}: {height} x {width} pixels"]
        if self.answer is not None:
            lines.append(f"teacher: {self.answer}")
        other = self.explained
        if other and self.answer and other.class_index != self.answer.class_index:
            lines.append(f"explained: {other}")
        if self.reconstruction is not None:
            line = f"reconstruction: {self.reconstruction}"
            own = self.reconstruction_answer
            if own and own.class_index != self.reconstruction.class_index:
                line += f" (its own answer: {own})"
            lines.append(line)
        lines += self._shared_out()
        lines += [f"warning: {warning}" for warning in self.warnings]
        shown = "all" if len(self.parts) == self.filters else f"{len(self.parts)} of"
        present = f"{len(self.present)} parts present"
        if not self.presence_calibrated:
            present += " (not calibrated)"
        lines.append(
            f"p {decimal(self.share, 3)}; {shown} {self.filters} filters, {present}"
        )
        return lines

    def _shared_out(self) -> list[str]:
        shared = self.contributions
        if shared is None:
            why = self.no_contributions
            return [f"no contributions: {why}"] if why else []
        error = shared.relative_error
        return [
            f"logit {decimal(shared.baseline, 2)} at the baseline, changed by "
            f"{shared.change:+.2f}: filters {shared.filters:+.2f}, ordinary track "
            f"{shared.ordinary:+.2f}, completeness error "
            + ("-" if error is None else f"{100 * error:.1f} %")
        ]

    def _header(self) -> tuple[str, ...]:
        if self.contributions is None:
            return _HEADER
        return (_HEADER[0], "contribution", *_HEADER[1:])

    def _rows(self, parts: int | None) -> list[tuple[str, ...]]:
        rows = []
        for part in self.parts[:parts]:
            places = (*(part.position or (None,) * 2), *(part.box or (None,) * 4))
            given = part.contribution
            counted = () if self.contributions is None else (signed(given, 3),)
            rows.append(
                (
                    part.title + ("" if part.present else ": absent"),
                    *counted,
                    decimal(part.strength, 3),
                    decimal(part.relative_strength, 1),
                    *(decimal(place, 1) for place in places),
                )
            )
        return rows
