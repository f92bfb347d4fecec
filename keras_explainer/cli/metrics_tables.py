"""A `metrics.json` as tables that say what each figure means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_PARTS = (
    (
        "part_tracking_share",
        "up",
        "share of filters that move with a part (R² ≥ 0.3 on unseen halves)",
    ),
    (
        "location_instability",
        "down",
        "spread of the distance to a part; low also for a fixed position",
    ),
    (
        "landmark_error",
        "down",
        "error of part centres regressed from positions; control: always the mean",
    ),
    ("distinct_positions", "up", "positions in use per image; copies of a filter: 1"),
    ("concentration", "up", "share of a map's mass around its peak"),
    ("filter_correlation", "down", "how alike the filters' maps are"),
    ("dead_filters", "down", "filters that never fire"),
)
_FIDELITY = (
    ("top1_agreement", "same answer as the teacher; control: its most frequent one"),
    ("kl", "divergence of the class probabilities, nats"),
    ("accuracy", "right answers; control: the teacher's"),
    ("p", "share of the interpretable track, as learned"),
    ("p_variance_share", "the same as a share of the variance"),
)


def show_metrics(metrics: Mapping[str, Any]) -> None:
    """Prints what `keras_explainer.runs.evaluate` gave."""
    console = Console()
    data = metrics["data"]
    console.print(
        f"{data['images']} test images of {data['category'] or 'all categories'}, "
        f"{data['annotated_images']} of them with part centres",
        markup=False,
        highlight=False,
    )
    console.print(_parts(metrics))
    console.print(_variance(metrics["explainer"]))
    console.print(_fidelity(metrics))


def _parts(metrics: Mapping[str, Any]) -> Table:
    table = _table("Parts", "Explainer", "Teacher", "Control", "")
    constant = metrics["baselines"]["constant_position"]
    for name, way, meaning in _PARTS:
        control = constant.get(name)
        if name == "landmark_error":
            control = metrics["explainer"]["landmark_mean_predictor"]
        figures = (metrics["explainer"][name], metrics["teacher"][name], control)
        arrow = "↑" if way == "up" else "↓"
        title = f"{name.replace('_', ' ')} {arrow}"
        if name == "dead_filters":
            figures = (
                _of(metrics["explainer"]),
                _of(metrics["teacher"]),
                _of(constant),
            )
        table.add_row(title, *map(_number, figures), meaning)
    return table


def _of(figures: Mapping[str, Any]) -> str:
    return f"{figures['dead_filters']} of {figures['filters']}"


def _variance(explainer: Mapping[str, Any]) -> Table:
    table = _table(
        "Explained variance ↑",
        "Whole",
        "Without ordinary",
        "Without interpretable",
        "",
    )
    columns = (
        explainer,
        explainer["without_ordinary"] or {},
        explainer["without_interpretable"] or {},
    )
    for name in explainer["explained_variance"]:
        values = [c.get("explained_variance", {}).get(name) for c in columns]
        meaning = "the teacher's answer" if name == "logits" else "a target layer"
        table.add_row(name, *map(_number, values), meaning)
    values = [column.get("top1_agreement") for column in columns]
    table.add_row("(top-1 agreement)", *map(_number, values), "what each track carries")
    return table


def _fidelity(metrics: Mapping[str, Any]) -> Table:
    table = _table("Fidelity", "Explainer", "Control", "")
    explainer = metrics["explainer"]
    controls = {
        "top1_agreement": explainer["top1_constant"],
        "accuracy": metrics["teacher"]["accuracy"],
    }
    for name, meaning in _FIDELITY:
        control = _number(controls[name]) if name in controls else ""
        title = name.replace("_", " ")
        table.add_row(title, _number(explainer[name]), control, meaning)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number, title in enumerate(columns):
        figure = 0 < number < len(columns) - 1
        table.add_column(
            title,
            justify="right" if figure else "left",
            style="" if number < len(columns) - 1 else "dim",
        )
    return table


def _number(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:.4g}"
