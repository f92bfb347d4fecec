"""Early stopping without labels, which survives an interruption."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError, did_you_mean

_HIGHER_IS_BETTER = ("explained_variance", "top1_agreement", "p")


class EarlyStop(keras.callbacks.Callback):
    """Stops when a figure of the log has not become better for some epochs.

    The explainer then gets the weights of the best epoch; also when all epochs were
    run. All figures of an explainer's log are made without labels.

    Args:
        monitor: the figure's name in the log.
        patience: epochs without a better value.

    Attributes:
        best: the best value, or None.
        waited: epochs since then.
        weights: of the best epoch, in the order of `model.weights`, or None.
        stopped: whether it ended learning.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.best: float | None = None
        self.waited = 0
        self.weights: list[np.ndarray] | None = None
        self.stopped = False

    @staticmethod
    def check(monitor: str, names: Iterable[str]) -> None:
        """Refuses a figure that an explainer's log will not have.

        Args:
            monitor: the figure.
            names: of the explainer's metrics.

        Raises:
            ConfigError: it is none of them.
        """
        choices = sorted(names)
        if monitor.removeprefix("val_") not in choices:
            raise ConfigError(
                f"The log has no figure {monitor!r} to stop by. "
                f"{did_you_mean(monitor.removeprefix('val_'), choices)} With 'val_' "
                "before it for the validation images."
            )

    @property
    def higher_is_better(self) -> bool:
        """Which way the monitored figure improves."""
        name = self.monitor.removeprefix("val_")
        return name.startswith(_HIGHER_IS_BETTER[0]) or name in _HIGHER_IS_BETTER

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not math.isfinite((logs or {}).get("loss", 0.0)):
            self.weights = None  # diverged: those of the last good epoch are kept
            return
        value = float((logs or {}).get(self.monitor, math.nan))
        if self._is_better(value):
            self.best, self.waited = value, 0
            self.weights = self.model.get_weights()
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.stopped = True
            self.model.stop_training = True

    def _is_better(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        return value > self.best if self.higher_is_better else value < self.best

    def on_train_end(self, logs: Any = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)

    def state(self) -> dict[str, Any]:
        """What `restore` needs besides the weights, JSON-able."""
        return {"best": self.best, "waited": self.waited, "stopped": self.stopped}

    def restore(self, state: dict[str, Any], weights: Any) -> None:
        """Goes on where another one was."""
        self.best, self.waited = state["best"], state["waited"]
        self.stopped = state["stopped"]
        self.weights = None if weights is None else list(weights)
