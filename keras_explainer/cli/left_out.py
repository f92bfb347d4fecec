"""Files that a command could not use."""

from __future__ import annotations

import typer

from keras_explainer.errors import printable


def show_bad(bad: list[str]) -> None:
    """Lists files that were left out, on standard error."""
    if not bad:
        return
    typer.echo(f"{len(bad)} files were left out:", err=True)
    for text in bad[:20]:
        # A name of a file may hold a line break and what looks like our own words.
        line = printable(text).replace("\n", "\\x0a")
        typer.echo(f"  {line}", err=True)
    if len(bad) > 20:
        typer.echo(f"  and {len(bad) - 20} more", err=True)
