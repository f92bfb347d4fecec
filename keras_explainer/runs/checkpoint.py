"""Writes log and state of learning after each epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras

from keras_explainer.runs.early_stop import EarlyStop
from keras_explainer.runs.run_folder import RunFolder
from keras_explainer.runs.training_state import TrainingState

Progress = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with stage, things done, things in all, and figures to show."""


class Checkpoint(keras.callbacks.Callback):
    """Keeps a run folder's log and backup up to date.

    Keras' `BackupAndRestore` writes weights and epoch as two files and deletes before
    it writes; here one file, moved to its place when it is whole, holds all of the
    state, so that learning killed at any moment goes on from a whole epoch.

    Args:
        run: the locked folder.
        rows: the log of the epochs done before.
        early_stop: whose state is kept too, or None.
        progress: see `Progress`, or None.
    """

    def __init__(
        self,
        run: RunFolder,
        rows: list[dict[str, Any]],
        early_stop: EarlyStop | None = None,
        progress: Progress | None = None,
    ) -> None:
        super().__init__()
        self.run = run
        self.rows = rows
        self.early_stop = early_stop
        self.progress = progress
        self._steps = 0
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._steps = 0
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._steps += 1
        self._show(len(self.rows))

    def _show(self, epochs: int) -> None:
        """Reports the steps done, `epochs` epochs and those of the present one."""
        if self.progress is None:
            return
        steps = self.params["steps"] or self._steps
        done = epochs * steps + self._steps
        shown = self.rows[-1] if self.rows else {}
        self.progress("Learning", done, self.params["epochs"] * steps, shown)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        figures = {name: _finite_or_none(value) for name, value in (logs or {}).items()}
        seconds = round(time.perf_counter() - self._began, 3)
        self.rows.append({"epoch": epoch + 1, "seconds": seconds, **figures})
        self._show(epoch)
        self.run.write_history(self.rows)
        if figures.get("loss") is None:
            return  # diverged: the backup stays that of the last good epoch
        stop = self.early_stop
        facts = {
            "epoch": epoch + 1,
            "rows": self.rows,
            "early_stop": None if stop is None else stop.state(),
        }
        state = TrainingState.of(
            self.model, facts, None if stop is None else stop.weights
        )
        with self.run.writing():
            state.write(self.run.backup)


def _finite_or_none(value: Any) -> float | None:
    """A number as JSON can hold it: null for NaN and infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
