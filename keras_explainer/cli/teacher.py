"""`keras-explainer teacher`."""

from __future__ import annotations

import typer

teacher_app = typer.Typer(
    help="Teachers for one's own categories.", no_args_is_help=True
)


@teacher_app.callback()
def _group() -> None:
    """Teachers for one's own categories."""
