"""Progress on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_SHOWN = ("epoch", "loss", "p", "explained_variance_logits", "top1_agreement")


class ProgressDisplay:
    """A bar with the time left for each stage; nothing where there is no terminal.

    A context; an instance is what `keras_explainer.runs` takes as `progress`.
    """

    def __init__(self) -> None:
        console = Console(file=sys.stderr)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressDisplay:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def __call__(
        self, stage: str, done: int, total: int, figures: Mapping[str, Any]
    ) -> None:
        """Shows that `done` of `total` are done."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, figures="")
        shown = [
            f"{name.replace('explained_variance', 'EV')} {figures[name]:.3g}"
            for name in _SHOWN
            if figures.get(name) is not None
        ]
        self._progress.update(
            self._tasks[stage], completed=done, total=total, figures="  ".join(shown)
        )
