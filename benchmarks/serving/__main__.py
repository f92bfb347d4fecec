"""What explaining costs a server, against plain classification of the same images.

    python -m benchmarks.serving [--network NAME] [--calls N]

Exports an explainer of each network (default recipe, not learned: costs do not depend
on weights), loads it beside the teacher alone in one process, and lets the
endpoints take turns. KERAS_EXPLAINER_SHARED names the folder of the photographs.
Finished rows are kept, so that it can go on.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import read_rows
from benchmarks.serving.networks import NETWORKS
from keras_explainer.files import write_json
from keras_explainer.runs import current_versions

RESULTS = Path(__file__).resolve().parents[1] / "results" / "serving"


def main() -> None:
    """Measures what is missing, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--json", type=Path, default=RESULTS / "cost.json")
    arguments = parser.parse_args()
    from benchmarks.serving.measure import measure

    rows = read_rows(arguments.json)
    for name in arguments.network or NETWORKS:
        if any(row["network"] == name for row in rows):
            continue
        row = measure(name, arguments.calls)
        row["machine"] = {
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("TF_NUM_INTRAOP_THREADS", "all"),
            "load": round(os.getloadavg()[0], 1),
        }
        row["versions"] = current_versions()
        rows.append(row)
        write_json(arguments.json, rows)
    show(rows)


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


if __name__ == "__main__":
    main()
