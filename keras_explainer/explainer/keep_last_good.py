"""`KeepLastGood`: learning stops at a loss that is not finite, with good weights."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np


class KeepLastGood(keras.callbacks.Callback):
    """Stops when the loss is NaN or infinite, at the last good epoch's weights.

    Attributes:
        diverged: the loss that was not finite, or None.
        epoch: the epoch in which it was seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.diverged: float | None = None
        self.epoch = 0
        self._weights: list[np.ndarray] | None = None
        # Of the last epoch: good once a step has begun from them with a finite loss.
        self._candidate: list[np.ndarray] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self._weights = self.model.get_weights()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self.diverged = loss
            self.model.stop_training = True
        elif self._candidate is not None:
            self._weights, self._candidate = self._candidate, None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.diverged is None:
            weights = self._now()
            if all(np.isfinite(values).all() for values in weights):
                self._candidate = weights
                return
            self.diverged = math.nan
            self.model.stop_training = True
        if self._weights is not None:
            self.model.set_weights(self._weights)

    def _now(self) -> list[np.ndarray]:
        """The weights; the same array as before where nothing changed.

        Most of a network with dense layers is frozen: one copy of it is enough.
        """
        pairs = zip(self.model.weights, self._weights or (), strict=True)
        now = ((keras.ops.convert_to_numpy(one), before) for one, before in pairs)
        return [
            before if np.array_equal(before, new) else np.array(new)
            for new, before in now
        ]
