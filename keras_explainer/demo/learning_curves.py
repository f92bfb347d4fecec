"""Learning curves of a run, as a picture."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_explainer.files import save_atomically

PANELS = {
    "loss": "loss ↓",
    "equivariance_loss": "equivariance: distance of positions in two views ↓",
    "explained_variance_logits": "explained variance of the logits ↑",
    "p": "p, share of the interpretable track",
}


def has_matplotlib() -> bool:
    """Whether curves can be drawn: `pip install keras-explainer[report]`."""
    return importlib.util.find_spec("matplotlib") is not None


def save_learning_curves(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws what a run's log has of `PANELS`, a panel each, as PNG.

    Args:
        history: rows of a run's log, `RunFolder.history`; `val_` figures are dashed.
        path: the file.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, (name, title) in zip(
        figure.subplots(2, 2).flat, PANELS.items(), strict=True
    ):
        for prefix, style in (("", "-"), ("val_", "--")):
            values = [row.get(prefix + name) for row in history]
            known = [
                (epoch, value)
                for epoch, value in zip(epochs, values, strict=True)
                if value is not None
            ]
            if known:
                axes.plot(*zip(*known, strict=True), style, color="#1f5fa8", marker=".")
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("epoch", fontsize=9)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    save_atomically(path, lambda place: figure.savefig(place, dpi=110, format="png"))
