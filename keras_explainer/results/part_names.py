"""`PartNames`: the names of an explainer's filters, and which of them go together."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import Any

from keras_explainer.errors import DataError
from keras_explainer.results.json_file import JsonFile
from keras_explainer.results.part_name import PartName
from keras_explainer.results.plain_text import decimal, html_table, text_table
from keras_explainer.results.reading import (
    SCHEMA_VERSION,
    check_version,
    listed,
    optional,
    reading,
    text,
    whole,
)

_HEADER = ("filter", "part", "confidence", "R²", "images")


@dataclass(frozen=True, kw_only=True)
class PartNames(JsonFile):
    """Names of the parts that filters follow; filters without a name are left out.

    Attributes:
        filters: Filters of the explainer.
        fingerprint: Of its filters (`Explainer.filters_fingerprint`); None for names
            that fit any explainer of as many filters.
        names: By filter, at most one each.
        groups: Filters that follow the same part: their positions lie together.

    Raises:
        DataError: A filter that there is not, or is named or grouped twice; a name
            that is no text.
    """

    filters: int
    fingerprint: str | None = None
    names: tuple[PartName, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        for what, numbers in (
            ("named", [entry.filter for entry in self.names]),
            ("grouped", [number for group in self.groups for number in group]),
        ):
            for number in numbers:
                if not 0 <= number < self.filters:
                    raise DataError(
                        f"Filter {number} is {what}, but the explainer's filters are 0 "
                        f"to {self.filters - 1}."
                    )
            if len(set(numbers)) < len(numbers):
                twice = next(n for n in numbers if numbers.count(n) > 1)
                raise DataError(f"Filter {twice} is {what} twice.")
        for entry in self.names:
            if not isinstance(entry.name, str) or not entry.name.strip():
                raise DataError(
                    f"The name of filter {entry.filter} is a text that is not empty, "
                    f"got {entry.name!r}."
                )

    @classmethod
    def by_hand(cls, names: Mapping[int, str], filters: int) -> PartNames:
        """From {filter: name}.

        Raises:
            DataError: As above; a key that is no whole number.
        """
        with reading("set of part names"):
            entries = [
                PartName(filter=index(number), name=text(name))
                for number, name in names.items()
            ]
        entries.sort(key=lambda entry: entry.filter)
        return cls(filters=filters, names=tuple(entries))

    def of(self, filter: int) -> PartName | None:
        """The name of a filter, None if it has none."""
        return next((entry for entry in self.names if entry.filter == filter), None)

    def check_fits(self, filters: int, fingerprint: str) -> None:
        """Refuses names of other filters.

        Raises:
            DataError: Another number of filters, or other filters.
        """
        if self.filters != filters:
            raise DataError(
                f"These names are of {self.filters} filters, the explainer has "
                f"{filters}. Name its own."
            )
        if self.fingerprint is not None and self.fingerprint != fingerprint:
            raise DataError(
                "These names are of the filters of another explainer, or of this one "
                "before it learned on. Name its own filters."
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "filters": self.filters,
            "fingerprint": self.fingerprint,
            "names": [entry.to_dict() for entry in self.names],
            "groups": [list(group) for group in self.groups],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PartNames:
        """Of `to_dict`.

        Raises:
            DataError: It is something else, or of another schema version.
        """
        check_version(data, "set of part names")
        with reading("set of part names"):
            groups = listed(data["groups"], lambda group: listed(group, whole))
            return cls(
                filters=whole(data["filters"]),
                fingerprint=optional(data["fingerprint"], text),
                names=tuple(listed(data["names"], PartName.from_dict)),
                groups=tuple(tuple(group) for group in groups),
            )

    def table(self) -> str:
        """A text table with a line for each named filter, and the groups."""
        lines = [self._summary(), "", text_table(_HEADER, self._rows())]
        return "\n".join([*lines, *self._group_lines()])

    def __str__(self) -> str:
        return self.table()

    def _repr_html_(self) -> str:
        groups = "<br>".join(html.escape(line) for line in self._group_lines())
        table = html_table(_HEADER, self._rows())
        return f"<div><p>{html.escape(self._summary())}</p>{table}<p>{groups}</p></div>"

    def _summary(self) -> str:
        sure = [entry for entry in self.names if (entry.confidence or 0) >= 0.8]
        return (
            f"{len(self.names)} of {self.filters} filters have a name, {len(sure)} "
            "with a confidence of 0.8 or more"
        )

    def _group_lines(self) -> list[str]:
        lines = []
        for group in self.groups:
            given = {e.name for n in group if (e := self.of(n)) is not None}
            shown = ", ".join(sorted(given)) or "no name"
            lines.append(f"together ({shown}): {', '.join(map(str, group))}")
        return lines

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(entry.filter),
                entry.name,
                "by hand" if entry.confidence is None else f"{entry.confidence:.2f}",
                decimal(entry.r2, 2),
                "-" if entry.images is None else str(entry.images),
            )
            for entry in self.names
        ]
