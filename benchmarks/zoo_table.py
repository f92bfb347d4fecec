"""Puts the zoo's table, made from configurations and records, into docs/zoo.md.

python -m benchmarks.zoo_table
"""

from __future__ import annotations

from pathlib import Path

from keras_explainer.zoo.zoo_table import markdown, zoo_rows

from keras_explainer.files import write_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "zoo.md"
BEGIN, END = "| CNN | kind |", "\n## Teachers and their explainers"


def main() -> None:
    """Replaces the table that is there."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN), text.index(END)
    write_text(PAGE, text[:begin] + markdown(zoo_rows()) + text[end:])


if __name__ == "__main__":
    main()
