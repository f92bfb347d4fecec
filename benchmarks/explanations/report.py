"""The rows as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

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
