"""A `metrics.json` as tables that say what each figure means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_PARTS = (
    ("part_tracking_share", "↑", "filters that move with a part"),
    ("location_instability", "↓", "spread around a part; a fixed position has it too"),
    ("landmark_error", "↓", "parts told from positions; constant: their mean"),
    ("distinct_positions", "↑", "positions in an image; copies of a filter: 1"),
    ("concentration", "↑", "share of a map around its peak"),
    ("filter_correlation", "↓", "likeness of the filters' maps"),
    ("dead_filters", "↓", "filters that never fire"),
)
_FIDELITY = (
    ("top1_agreement", "the teacher's answer; control: its most frequent one"),
    ("kl", "divergence from the teacher's probabilities, nats"),
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
    for table in (_parts(metrics), _variance(metrics["explainer"]), _fidelity(metrics)):
        console.print()
        console.print(table)


def _parts(metrics: Mapping[str, Any]) -> Table:
    table = figure_table("Parts", "Explainer", "Teacher", "Constant", "")
    table.caption = "Constant: a filter that always fires at the image's centre."
    table.caption_justify = "left"
    constant = metrics["baselines"]["constant_position"]
    for name, way, meaning in _PARTS:
        control = constant[name]
        if name == "landmark_error":
            control = metrics["explainer"]["landmark_mean_predictor"]
        figures = (metrics["explainer"][name], metrics["teacher"][name], control)
        title = f"{name.replace('_', ' ')} {way}"
        if name == "dead_filters":
            figures = (
                _of(metrics["explainer"]),
                _of(metrics["teacher"]),
                _of(constant),
            )
        table.add_row(title, *map(number, figures), meaning)
    return table


def _of(figures: Mapping[str, Any]) -> str:
    return f"{figures['dead_filters']} of {figures['filters']}"


def _variance(explainer: Mapping[str, Any]) -> Table:
    table = figure_table(
        "Explained variance ↑", "Whole", "Without ordinary", "Without interpretable", ""
    )
    table.caption = (
        "Without: that track replaced by its mean. logits: the teacher's answer."
    )
    table.caption_justify = "left"
    columns = (
        explainer,
        explainer["without_ordinary"] or {},
        explainer["without_interpretable"] or {},
    )
    for name in explainer["explained_variance"]:
        values = [c.get("explained_variance", {}).get(name) for c in columns]
        table.add_row(escape(name), *map(number, values))
    values = [column.get("top1_agreement") for column in columns]
    table.add_row("(top1 agreement)", *map(number, values))
    return table


def _fidelity(metrics: Mapping[str, Any]) -> Table:
    table = figure_table("Fidelity", "Explainer", "Control", "")
    explainer = metrics["explainer"]
    controls = {
        "top1_agreement": explainer["top1_constant"],
        "accuracy": metrics["teacher"]["accuracy"],
    }
    for name, meaning in _FIDELITY:
        control = number(controls[name]) if name in controls else ""
        title = name.replace("_", " ")
        table.add_row(title, number(explainer[name]), control, meaning)
    return table


def figure_table(*columns: str) -> Table:
    """A table of a name, figures, and what they mean."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for at, title in enumerate(columns):
        figure = 0 < at < len(columns) - 1
        table.add_column(
            title,
            overflow="fold" if at == 0 else "ellipsis",
            justify="right" if figure else "left",
            style="" if at < len(columns) - 1 else "dim",
        )
    return table


def number(value: Any) -> str:
    """A figure with four digits; a dash for what cannot be had."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:.4g}"
