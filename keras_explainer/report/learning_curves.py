"""Learning curves as points of small line charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PANELS = {
    "loss": "Loss\u00a0↓",
    "reconstruction_loss": "Reconstruction loss\u00a0↓",
    "filter_loss": "Filter loss (minus mutual information)\u00a0↓",
    "equivariance_loss": "Equivariance: distance of positions in two views\u00a0↓",
    "explained_variance_logits": "Explained variance of the logits\u00a0↑",
    "top1_agreement": "Agreement with the teacher\u00a0↑",
    "p": "p, share of the interpretable track",
    "dead_filters": "Share of dead filters\u00a0↓",
}
WIDTH, HEIGHT = 320, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 22


def learning_curves(history: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A chart for each of `PANELS` that the log has.

    Args:
        history: rows of a run's log, `RunFolder.history`; a `val_` figure is a second
            line.

    Returns:
        `title`, `lines` (`kind`, SVG `points`), `ticks` (`y`, `text`), `epochs` (`x`,
        `text`) and `summary`, for the page's template.
    """
    charts = []
    for name, title in PANELS.items():
        lines = {
            kind: [
                (int(row["epoch"]), float(row[prefix + name]))
                for row in history
                if row.get(prefix + name) is not None
            ]
            for kind, prefix in (("train", ""), ("validation", "val_"))
        }
        lines = {kind: points for kind, points in lines.items() if points}
        if lines:
            charts.append(_chart(title, lines))
    return charts


def _chart(title: str, lines: dict[str, list[tuple[int, float]]]) -> dict[str, Any]:
    values = [value for points in lines.values() for _, value in points]
    epochs = [epoch for points in lines.values() for epoch, _ in points]
    low, high = min(values), max(values)
    size = max(1.0, abs(low), abs(high))
    if high - low < 1e-12 * size:
        low, high = low - 0.5 * size, high + 0.5 * size
    first, last = min(epochs), max(epochs)

    def x(epoch: float) -> float:
        share = (epoch - first) / max(1, last - first)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)

    ends = next(iter(lines.values()))
    return {
        "title": title,
        "lines": [
            {
                "kind": kind,
                "points": " ".join(f"{x(epoch)},{y(value)}" for epoch, value in points),
                "single": len(points) == 1,
                "x": x(points[0][0]),
                "y": y(points[0][1]),
            }
            for kind, points in lines.items()
        ],
        "ticks": [
            {"y": y(value), "text": f"{value:.3g}".replace("-", "−")}
            for value in (low, (low + high) / 2, high)
        ],
        "epochs": [
            {"x": x(epoch), "text": str(epoch)} for epoch in sorted({first, last})
        ],
        "summary": f"{title}: {ends[0][1]:.3g} in epoch {ends[0][0]}, "
        f"{ends[-1][1]:.3g} in epoch {ends[-1][0]}",
    }
