"""Tables of results in Markdown pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_explainer.files import write_text


def fill(page: Path, tables: Mapping[str, str]) -> None:
    """Writes each table between its marks, `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        ValueError: a name that the page has not, or more than once.
    """
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = re.escape(name)
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- end of {mark} -->)"
        filled = f"\n{table}\n\n"
        text, count = re.subn(
            pattern, lambda m, f=filled: m[1] + f + m[2], text, flags=re.S
        )
        if count != 1:
            raise ValueError(f"{page} has {count} places for the table {name!r}.")
    write_text(page, text)


def markdown(head: Iterable[str], lines: list[list[str]]) -> str:
    """A table; the first column is to the left, the others to the right."""
    names = list(head)
    if not lines:
        return "not measured"
    rows = [names, ["---"] + ["---:"] * (len(names) - 1), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
