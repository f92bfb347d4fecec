"""The rows as a table, and on the page."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.pages import markdown
from benchmarks.serving.networks import NETWORKS

COST = (
    "teacher",
    "GFLOP to classify, to explain",
    "`explain`, 1 image",
    "32 images",
    "`explain_contributions`, 1 image",
    "32 images",
    "p50, p99 of `explain`, ms",
    "images/s, 32",
    "MiB: file, process",
    "export, s",
)
LOADERS = (
    "teacher",
    "images",
    "largest difference",
    "of",
    "accepted",
    "Keras itself, batches of 1 and 64",
    "decisions that differ",
    "decisions that tie",
)


def page_tables(
    rows: list[dict[str, Any]], loaders: list[dict[str, Any]]
) -> dict[str, str]:
    """The tables of docs/serving.md."""
    return {
        "cost": markdown(COST, [_cost(row) for row in _in_order(rows)]),
        "loaders": markdown(LOADERS, [_loaders(row) for row in _in_order(loaders)]),
    }


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: NETWORKS.index(row["network"]))


def _cost(row: dict[str, Any]) -> list[str]:
    one, many = row["batches"]["1"], row["batches"]["32"]

    def ratio(endpoints: dict[str, Any], name: str) -> str:
        return f"{endpoints[name]['ratio']:.2f}" if name in endpoints else "–"

    return [
        row["network"],
        f"{row['gflops']['classification']:.2f}, {row['gflops']['explain']:.2f}",
        ratio(one, "explain"),
        ratio(many, "explain"),
        ratio(one, "explain_contributions"),
        ratio(many, "explain_contributions"),
        f"{one['explain']['p50_ms']:.0f}, {one['explain']['p99_ms']:.0f}",
        f"{many['explain']['images_per_second']:.1f}",
        f"{row['mib']:.1f}, {row['memory_mib']['all_endpoints_peak']:,}",
        f"{row['export_seconds']:.0f}",
    ]


def _loaders(row: dict[str, Any]) -> list[str]:
    worst = max(row["loaders"].values(), key=lambda one: one["max_difference"])
    ties = [one["ties"] for one in row["loaders"].values() if one["ties"] is not None]
    wrong = [one["wrong"] for one in row["loaders"].values() if one["wrong"]]
    return [
        row["network"],
        str(row["images"]),
        f"{worst['max_difference']:.1e}",
        worst["of"],
        f"{worst['accepted']:.1e}",
        f"{row['keras_between_batches']:.1e}",
        wrong[0] if wrong else "none",
        f"{max(ties):.1%}" if ties else "–",
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Prints the table."""
    table = Table(
        "network",
        "batch",
        "endpoint",
        "GFLOP",
        "p50 ms",
        "p99 ms",
        "images/s",
        "ratio",
        "MiB file, peak",
    )
    for row in rows:
        memory = f"{row['mib']:.0f}, {row['memory_mib']['all_endpoints_peak']}"
        for batch, endpoints in row["batches"].items():
            for name, told in endpoints.items():
                flops = row["gflops"].get(name)
                table.add_row(
                    row["network"],
                    batch,
                    name,
                    "" if flops is None else f"{flops * int(batch):.1f}",
                    f"{told['p50_ms']:.1f}",
                    f"{told['p99_ms']:.1f}",
                    f"{told['images_per_second']:.1f}",
                    f"{told['ratio']:.2f}",
                    memory if name == "explain" else "",
                )
    Console().print(table)
