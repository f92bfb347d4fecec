"""`Explanations`: those of several images, in their order."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from keras_explainer.results.explanation import Explanation
from keras_explainer.results.json_file import JsonFile
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
    whole,
)

_HEADER = ("image", "teacher", "score", "reconstruction", "score", "parts", "first")
_HTML_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class Explanations(JsonFile, Sequence[Explanation]):
    """The explanations of several images by one explainer, a sequence in their order.

    Attributes:
        items: One explanation an image.
        teacher: Name of the teacher.
        tap: Path of the layer whose features are explained.
        fingerprint: Of the teacher, see `Teacher.fingerprint`.
        output: Name of the teacher's output that is explained, None if not known.
        share: `p`, the share of the interpretable track, in (0, 1).
        filters: Filters of the explainer.
    """

    items: tuple[Explanation, ...]
    teacher: str
    tap: str
    fingerprint: str
    output: str | None = None
    share: float
    filters: int

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Explanation]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> Explanations: ...
    def __getitem__(self, index: int | slice) -> Explanation | Explanations:
        if isinstance(index, slice):
            return replace(self, items=self.items[index])
        return self.items[index]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "teacher": self.teacher,
            "tap": self.tap,
            "fingerprint": self.fingerprint,
            "output": self.output,
            "share": self.share,
            "filters": self.filters,
            "explanations": [explanation.to_dict() for explanation in self.items],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Explanations:
        """Of `to_dict`.

        Raises:
            DataError: It is something else, or of another schema version.
        """
        check_version(data, "set of explanations")
        with reading("set of explanations"):
            return cls(
                items=tuple(listed(data["explanations"], Explanation.from_dict)),
                teacher=text(data["teacher"]),
                tap=text(data["tap"]),
                fingerprint=text(data["fingerprint"]),
                output=optional(data.get("output"), text),
                share=number(data["share"]),
                filters=whole(data["filters"]),
            )

    def table(self) -> str:
        """A text table with a line for each image."""
        rows = [self._row(item) for item in self.items]
        return "\n".join([one_line(self._summary()), "", text_table(_HEADER, rows)])

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Explanations: {self._summary()}>"

    def _repr_html_(self) -> str:
        rows = [self._row(item) for item in self.items[:_HTML_ROWS]]
        left = len(self.items) - len(rows)
        more = f"<p>and {left} more images</p>" if left else ""
        head = html.escape(self._summary())
        return f"<div><p>{head}</p>{html_table(_HEADER, rows)}{more}</div>"

    def _summary(self) -> str:
        images = "1 image" if len(self) == 1 else f"{len(self)} images"
        return (
            f"{images} explained by {self.filters} filters on {self.teacher} at "
            f"{self.tap}, p {decimal(self.share, 3)}"
        )

    def _row(self, item: Explanation) -> tuple[str, ...]:
        answer, again = item.answer, item.reconstruction_answer
        first = ", ".join(part.name or str(part.filter) for part in item.present[:3])
        return (
            item.title,
            answer.title if answer else "-",
            decimal(answer.score if answer else None, 3),
            again.title if again else "-",
            decimal(again.score if again else None, 3),
            str(len(item.present)),
            first or "-",
        )
