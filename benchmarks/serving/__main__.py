"""What explaining costs a server, against plain classification of the same images.

    python -m benchmarks.serving [--network NAME] [--calls N] [--page]

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

from benchmarks.pages import fill
from benchmarks.rows import read_rows
from benchmarks.serving.networks import NETWORKS
from benchmarks.serving.report import page_tables, show
from keras_explainer.files import write_json
from keras_explainer.runs import current_versions

RESULTS = Path(__file__).resolve().parents[1] / "results" / "serving"
PAGE = RESULTS.parents[2] / "docs" / "serving.md"


def main() -> None:
    """Measures what is missing, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--json", type=Path, default=RESULTS / "cost.json")
    parser.add_argument(
        "--page", action="store_true", help="fill docs/serving.md, measure nothing"
    )
    arguments = parser.parse_args()
    rows = read_rows(arguments.json)
    if arguments.page:
        fill(PAGE, page_tables(rows, read_rows(RESULTS / "loaders.json")))
        return
    from benchmarks.serving.measure import measure

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


if __name__ == "__main__":
    main()
