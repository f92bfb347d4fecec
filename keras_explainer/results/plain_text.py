"""Tables as text and as HTML, from the same rows."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence


def one_line(text: str) -> str:
    """`text` with line breaks, tabs and other control characters as spaces.

    File names and labels may hold them, and would break a table or a terminal.
    """
    return "".join(
        " " if unicodedata.category(character)[0] in "CZ" else character
        for character in text
    )


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of equal width: the first column left-aligned, the others right."""
    lines = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same as an HTML table, every cell escaped."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def decimal(value: float | None, digits: int) -> str:
    """A number for a table; '-' for None."""
    if value is None:
        return "-"
    if value and abs(value) < 0.5 * 10**-digits:
        return f"{value:.1e}"  # would read as a zero that it is not
    return f"{value:.{digits}f}"


def signed(value: float | None, digits: int) -> str:
    """As `decimal`, with a plus before what is above 0."""
    return ("+" if value is not None and value > 0 else "") + decimal(value, digits)
