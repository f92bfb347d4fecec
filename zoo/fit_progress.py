"""How far a fit of a teacher has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from keras_explainer.runs import Progress


class FitProgress(keras.callbacks.Callback):
    """Tells how many steps of all epochs are done."""

    def __init__(self, progress: Progress | None, epoch: int, epochs: int) -> None:
        super().__init__()
        self._progress, self._epoch, self._epochs = progress, epoch, epochs

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._progress is None:
            return
        steps = self.params["steps"] or batch + 1
        shown = {"loss": float((logs or {}).get("loss", 0.0))}
        done = self._epoch * steps + batch + 1
        self._progress("Learning", done, self._epochs * steps, shown)


def stage_progress(
    progress: Progress | None, stage: str
) -> Callable[[int, int], None] | None:
    """`progress` of one stage, for what tells things done and in all."""
    if progress is None:
        return None
    return lambda done, total: progress(stage, done, total, {})
