"""Tables and the plot of the rows."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.parts.categories import TUNING
from benchmarks.parts.methods import ABLATIONS, METHODS, PLACES, SHUFFLED
from keras_explainer.files import save_atomically, write_text

COLUMNS = {
    "part_tracking_share": "tracking ↑",
    "distinct_positions": "distinct ↑",
    "concentration": "concentration ↑",
    "location_instability": "instability ↓",
    "landmark_error": "landmark error ↓",
    "ev_logits": "EV logits ↑",
    "ev_parts": "EV, parts alone ↑",
    "agreement": "agreement ↑",
    "agreement_parts": "agreement, parts alone ↑",
    "dead_share": "dead ↓",
    "p": "p",
    "seconds": "seconds",
    "parameters": "parameters",
}

SPREAD = (
    "part_tracking_share",
    "distinct_positions",
    "concentration",
    "location_instability",
    "landmark_error",
    "ev_logits",
    "ev_parts",
)
"""Figures in the table of several seeds."""


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Mean of each figure over the rows of a method; None where it has none.

    Of seed 0: other seeds have fewer categories.
    """
    grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in _seed_0(rows):
        row = {**row, "dead_share": row["dead_filters"] / row["filters"]}
        grouped[row["method"]].append(row)
    found = {}
    for method in (*METHODS, *ABLATIONS):
        if method not in grouped:
            continue
        found[method] = {
            name: _mean([row.get(name) for row in grouped[method]]) for name in COLUMNS
        }
    return found


def _seed_0(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if row["seed"] == 0]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def write_reports(rows: list[dict[str, Any]], folder: Path) -> str:
    """Writes `rows.csv`, `table.md` and `frontier.png`; the table."""
    text = io.StringIO()
    names = [name for name in rows[0] if not isinstance(rows[0][name], list)]
    writer = csv.DictWriter(text, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "rows.csv", text.getvalue())
    found = means(rows)
    lines = [
        "Test rows; means over the categories that are named. EV: explained variance; "
        "parts alone: from the maps cut to their masks, or without the ordinary track.",
        "",
        "| method | of | " + " | ".join(COLUMNS.values()) + " |",
        "| --- " * (len(COLUMNS) + 2) + "|",
    ]
    for method, figures in found.items():
        cells = [_cell(name, figures[name]) for name in COLUMNS]
        of = _of([row for row in _seed_0(rows) if row["method"] == method])
        lines.append(f"| {method} | {of} | " + " | ".join(cells) + " |")
    table = "\n".join([*lines, "", *by_category(rows), *over_seeds(rows)]) + "\n"
    write_text(folder / "table.md", table)
    count = Counter(row["method"] for row in _seed_0(rows))
    _plot(found, count, folder / "frontier.png")
    return table


BY_CATEGORY = ("landmark_mean_predictor", "train_images")
"""Beside `COLUMNS`, in the table of single categories."""


def by_category(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a Markdown table: the explainer with places in each category.

    Of seed 0. Its means are of the categories that settings were chosen on, of the
    others, and of all.
    """
    own = [row for row in _seed_0(rows) if row["method"] == PLACES]
    names = [name for name in COLUMNS if name not in ("dead_share", "parameters")]
    names += BY_CATEGORY
    lines = [
        f"{PLACES[0].upper()}{PLACES[1:]}, by category.",
        "",
        "| category | "
        + " | ".join(COLUMNS.get(name, name.replace("_", " ")) for name in names)
        + " |",
        "| --- " * (len(names) + 1) + "|",
    ]
    found = {
        category: [row for row in own if row["category"] == category]
        for category in sorted({row["category"] for row in own})
    }
    groups = {
        "mean of those tuned on": [c for c in found if c in TUNING],
        "mean of the others": [c for c in found if c not in TUNING],
        "mean of all": list(found),
    }
    figures = {
        category: {name: _mean([row.get(name) for row in of]) for name in names}
        for category, of in found.items()
    }
    for category, values in figures.items():
        cells = [_cell(name, values[name]) for name in names]
        lines.append(f"| {category} | " + " | ".join(cells) + " |")
    for title, categories in groups.items():
        cells = [
            _cell(name, _mean([figures[category][name] for category in categories]))
            for name in names
        ]
        title = f"{title} ({len(categories)})"
        lines.append(f"| **{title}** | " + " | ".join(cells) + " |")
    return lines


def over_seeds(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of a Markdown table: methods with several seeds, and their spread.

    Of the categories that have all seeds of the method. Mean over categories and
    seeds, ± the standard deviation over the seeds of the mean over the categories; in
    brackets that of a single category, as a mean over them.
    """
    lines: list[str] = []
    for method in (*METHODS, *ABLATIONS):
        own = [row for row in rows if row["method"] == method]
        seeds = sorted({row["seed"] for row in own})
        categories = sorted({row["category"] for row in own})
        table = {(row["category"], row["seed"]): row for row in own}
        whole = [c for c in categories if all((c, seed) in table for seed in seeds)]
        if len(seeds) < 2 or not whole:
            continue
        kept = [table[c, seed] for c in whole for seed in seeds]
        cells = []
        for name in SPREAD:
            values = np.array([row[name] for row in kept], float)
            values = values.reshape(len(whole), len(seeds))
            over_all, single = values.mean(0).std(ddof=1), values.std(1, ddof=1).mean()
            cells.append(f"{values.mean():.3f} ± {over_all:.3f} ({single:.3f})")
        lines.append(f"| {method} | {_of(kept)} | " + " | ".join(cells) + " |")
    if not lines:
        return []
    return [
        "",
        "Several seeds: mean ± standard deviation over the seeds of the mean over the "
        "categories (of a single category, mean over them).",
        "",
        "| method | of | " + " | ".join(COLUMNS[name] for name in SPREAD) + " |",
        "| --- " * (len(SPREAD) + 2) + "|",
        *lines,
    ]


def _of(rows: list[dict[str, Any]]) -> str:
    """The categories of rows, and their seeds: two methods may have others."""
    categories = sorted({row["category"] for row in rows})
    seeds = sorted({row["seed"] for row in rows})
    return f"{', '.join(categories)}; seed {', '.join(map(str, seeds))}"


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name in ("seconds", "parameters", "train_images"):
        return f"{value:,.0f}"
    return f"{value:.3f}"


def _plot(
    found: dict[str, dict[str, float | None]], count: Counter[str], path: Path
) -> None:
    """Tracking against what the parts alone carry, below -1 drawn at -1.

    Beside each method the number of categories of which its figures are the mean.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 5.5), layout="constrained")
    axes = figure.subplots()
    for method, figures in found.items():
        tracking, carried = figures["part_tracking_share"], figures["ev_parts"]
        if tracking is None or carried is None:
            continue
        # Ten colours come again: controls are triangles, ablations squares.
        shape = "s" if method in ABLATIONS else "^" if method in SHUFFLED else "o"
        label = f"{method} ({count[method]})"
        axes.plot(max(carried, -1), tracking, shape, label=label, alpha=0.8)
    # Many baselines lie together: names beside their points would cover each other.
    figure.legend(fontsize=8, loc="outside right upper", title="method (categories)")
    axes.set_xlabel("explained variance of the logits, parts alone (at least -1)")
    axes.set_ylabel("part tracking share")
    axes.set_xlim(-1.1, 1.1)
    axes.set_ylim(-0.03, 1.03)
    axes.grid(alpha=0.3)
    save_atomically(path, lambda place: figure.savefig(place, dpi=110, format="png"))
