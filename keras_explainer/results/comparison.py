"""`Comparison`: what the filters of two explainers have in common."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.results.filter_pair import FilterPair
from keras_explainer.results.filter_use import FilterUse
from keras_explainer.results.json_file import JsonFile
from keras_explainer.results.plain_text import decimal, html_table, text_table
from keras_explainer.results.reading import (
    SCHEMA_VERSION,
    check_version,
    listed,
    number,
    reading,
    text,
    whole,
)

_HEADER = ("filter of A", "filter of B", "similarity", "use by A", "use by B")


@dataclass(frozen=True, kw_only=True)
class Comparison(JsonFile):
    """Which filters of two explainers correspond, and which count in one alone.

    Attributes:
        name_a, name_b: Teacher and tap of each.
        images: Number of images that were compared.
        threshold: Similarity from which filters correspond.
        chance: The highest similarity that matched filters have where each map of A
            stands beside the map that B has of another image.
        pairs: The best one-to-one matching, the most similar first.
        only_a, only_b: Filters that count in one model and have no counterpart that
            counts in the other, those first that count most.
    """

    name_a: str
    name_b: str
    images: int
    threshold: float
    chance: float
    pairs: tuple[FilterPair, ...]
    only_a: tuple[FilterUse, ...]
    only_b: tuple[FilterUse, ...]

    @property
    def corresponding(self) -> tuple[FilterPair, ...]:
        """The pairs that correspond."""
        return tuple(pair for pair in self.pairs if pair.corresponds)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "name_a": self.name_a,
            "name_b": self.name_b,
            "images": self.images,
            "threshold": self.threshold,
            "chance": self.chance,
            "pairs": [pair.to_dict() for pair in self.pairs],
            "only_a": [use.to_dict() for use in self.only_a],
            "only_b": [use.to_dict() for use in self.only_b],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Comparison:
        """Of `to_dict`.

        Raises:
            DataError: It is something else, or of another schema version.
        """
        check_version(data, "comparison")
        with reading("comparison"):
            return cls(
                name_a=text(data["name_a"]),
                name_b=text(data["name_b"]),
                images=whole(data["images"]),
                threshold=number(data["threshold"]),
                chance=number(data["chance"]),
                pairs=tuple(listed(data["pairs"], FilterPair.from_dict)),
                only_a=tuple(listed(data["only_a"], FilterUse.from_dict)),
                only_b=tuple(listed(data["only_b"], FilterUse.from_dict)),
            )

    def table(self) -> str:
        """A text table: corresponding pairs, and what only one model uses."""
        rows = text_table(_HEADER, self._rows())
        return "\n".join([*self._summary(), "", rows, "", *self._alone()])

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        head, alone = (
            "<br>".join(html.escape(line) for line in lines)
            for lines in (self._summary(), self._alone())
        )
        table = html_table(_HEADER, self._rows())
        return f"<div><p>{head}</p>{table}<p>{alone}</p></div>"

    def _summary(self) -> list[str]:
        return [
            f"A: {self.name_a}",
            f"B: {self.name_b}",
            f"{len(self.corresponding)} of {len(self.pairs)} matched filters correspond"
            f" (similarity {self.threshold:.2f} or more; by chance up to "
            f"{self.chance:.2f}), {self.images} images",
        ]

    def _alone(self) -> list[str]:
        return [
            f"only {which} uses: " + (", ".join(map(_shown, uses)) or "none")
            for which, uses in (("A", self.only_a), ("B", self.only_b))
        ]

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                _title(pair.filter_a, pair.name_a),
                _title(pair.filter_b, pair.name_b),
                decimal(pair.similarity, 2),
                decimal(pair.use_a, 3),
                decimal(pair.use_b, 3),
            )
            for pair in self.corresponding
        ]


def _title(filter: int, name: str | None) -> str:
    return f"{filter}" + (f" ({name})" if name else "")


def _shown(use: FilterUse) -> str:
    return _title(use.filter, use.name) + ("" if use.use is None else f" {use.use:.3f}")
