"""The rows as a table, and those of today's recipe on the page."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any

from rich.table import Table

from benchmarks.pages import markdown
from keras_explainer.explanation.path_gradients import SECANTS

TEACHERS = ("MobileNet", "VGG", "zoo's CNN")
COLUMNS = (
    "",
    "complete (p90)",
    "16, 64 steps",
    "rank: ablation (strength)",
    "Shapley (its orders)",
    "filters' share",
    "deletion: most / least / random",
    "of groups",
    "by area",
    "precision (always)",
    "recall",
    "AUC",
    "named from 10 (right)",
    "gap / change",
    "warned",
    "cost",
)


def shown(value: float | None, digits: int = 2) -> str:
    """A number, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def table(rows: list[dict[str, Any]]) -> Table:
    """One line for each explainer."""
    made = Table(title="Explanations, images not learned from")
    for name in COLUMNS:
        made.add_column(name, justify="left" if not name else "right")
    for row in rows:
        errors = row["completeness"]
        present = (row["presence"] or {}).get("calibrated", {})
        named = row["names_from_ten_images"] or {}
        ranked = row["rank_agreement"]
        made.add_row(
            f"{row['teacher']}, {row['name']}, {row['variant']}, seed {row['seed']}",
            f"{100 * errors['default']['median']:.2f} % "
            f"({100 * errors['default']['p90']:.1f})",
            f"{100 * errors['16']['median']:.2f}, {100 * errors['64']['median']:.2f} %",
            f"{shown(ranked['default'])} ({shown(ranked['strength'])})",
            f"{shown(ranked.get('shapley'))} ({shown(ranked.get('orders'))})",
            shown(row["filters_share"]),
            *(
                " / ".join(
                    shown(row.get(key, {}).get(name))
                    for name in ("most", "least", "random")
                )
                for key in (
                    "deletion_of_filters",
                    "deletion_of_groups",
                    "deletion_of_areas",
                )
            ),
            f"{shown(present.get('precision'))} ({shown(present.get('prevalence'))})",
            shown(present.get("recall")),
            shown(present.get("auc")),
            f"{shown(named.get('named'))} ({shown(named.get('right'))})",
            f"{shown(row['logit_gap'])} / {shown(row['logit_change'])}",
            shown(row["warned"]),
            f"{row['cost']['ratio']:.2f}",
        )
    return made


def page_tables(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Markdown tables of the rows that are learned with places, by name."""
    rows = [row for row in rows if row["variant"] == "places"]
    rows = sorted(rows, key=lambda row: TEACHERS.index(row["teacher"]))
    return {
        "contributions": _contributions(rows),
        "areas": _areas(rows),
        "presence and names": _presence(rows),
    }


def _name(row: dict[str, Any]) -> str:
    return f"{row['teacher']}, {row['name']}"


def _contributions(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        ranked, away = row["rank_agreement"], row["away_from_64"][str(SECANTS)]
        lines.append(
            [
                _name(row),
                f"{100 * row['completeness']['default']['median']:.4f} %",
                f"{100 * away['median']:.1f} % ({100 * away['max']:.0f})",
                f"{ranked['shapley']:.2f} ({ranked['orders']:.2f})",
                f"{ranked['default']:.2f} ({ranked['strength']:.2f})",
                f"{100 * row['filters_share']:.0f} %",
                f"{100 * row['warned']:.0f} %",
                f"{row['cost']['ratio']:.1f}",
            ]
        )
    return markdown(
        [
            "explainer",
            "completeness error (median)",
            "furthest share from 64 intervals' (largest)",
            "rank agreement with Shapley values (two halves of their orders)",
            "with ablation (of strength, a control)",
            "parts' share of the change",
            "warned",
            "time with / without",
        ],
        lines,
    )


def _areas(rows: list[dict[str, Any]]) -> str:
    lines, photographs = [], []
    for row in rows:
        drops = row["deletion_of_areas"]
        by_parts = row["deletion_of_filters"]
        ratios = [drops["most"] / drops[other] for other in ("least", "random")]
        of_parts = by_parts["most"] / by_parts["least"]
        if row["teacher"] == TEACHERS[0]:
            photographs.append([*ratios, of_parts])
        lines.append(
            [
                _name(row),
                f"{drops['images']}",
                " / ".join(
                    f"{drops[name]:.1f}" for name in ("most", "least", "random")
                ),
                *(f"{ratio:.2f}" for ratio in [*ratios, of_parts]),
            ]
        )
    spread = [
        f"{mean(column):.2f} ± {stdev(column):.2f}"
        for column in zip(*photographs, strict=True)
    ]
    lines.append(["**photographs: mean ± standard deviation**", "", "", *spread])
    return markdown(
        [
            "explainer",
            "images",
            "fall of the logit: most / least / random cells",
            "most over least",
            "most over random",
            "most over least, by contribution",
        ],
        lines,
    )


def _presence(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        present, named = row["presence"]["calibrated"], row["names_from_ten_images"]
        lines.append(
            [
                _name(row),
                row["presence"]["absence"],
                f"{shown(present['precision'])} ({shown(present['prevalence'])})",
                shown(present["recall"]),
                shown(present["auc"]),
                shown(named["named"]),
                shown(named["right"]),
            ]
        )
    return markdown(
        [
            "explainer",
            "absence is",
            'precision (of "always")',
            "recall",
            "AUC",
            "named from ten images",
            "of these, right",
        ],
        lines,
    )
