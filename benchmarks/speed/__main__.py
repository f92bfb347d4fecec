"""How fast each stage is, beside its floor and what one would do instead.

    python -m benchmarks.speed [--preset short|full] [--rows NAME ...] [--fresh]
    python -m benchmarks.speed --page       # the tables of docs/performance.md
    python -m benchmarks.speed.gpu          # on a GPU, JAX backend

Each row is a process of its own. Finished rows are kept in
benchmarks/results/speed/rows.json, so that a stopped benchmark goes on; `--fresh`
measures again. Floors are FLOPs over measured rates and bytes over measured bandwidth,
of the same process. What is compared takes turns in one process. The short preset
takes about eight minutes of two idle cores; the table of the machine says how much of
them was not ours.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.speed import report, rows
from keras_explainer.files import write_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "speed"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def measured(name: str, preset: str) -> dict[str, Any]:
    """A row, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.json"
        command = [sys.executable, "-m", "benchmarks.speed", "--preset", preset]
        before, start = _processor(), time.perf_counter()
        done = subprocess.run([*command, "--here", name, "--json", str(path)])
        seconds = time.perf_counter() - start
        if done.returncode:
            return {"not_measured": f"ended with {done.returncode}"}
        found = json.loads(path.read_text())
    all_, mine = (b - a for a, b in zip(before, _processor(), strict=True))
    others = max(0.0, all_ - mine) / (seconds * (os.cpu_count() or 1))
    return {
        **found,
        "preset": preset,
        "seconds_in_all": round(seconds, 1),
        "others_share": round(others, 3),
    }


def _processor() -> tuple[float, float]:
    """Processor seconds of all processes, and of this one's finished children."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(value) for value in fields]
    used = (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")
    times = os.times()
    return used, times.children_user + times.children_system


def kept_rows(path: Path = RESULTS / "rows.json") -> dict[str, Any]:
    """What has been measured, `rows` by name and facts beside them."""
    found = json.loads(path.read_text()) if path.exists() else {}
    found.setdefault("rows", {})
    return found


def main() -> None:
    """Measures what is missing, prints the tables, writes JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", choices=rows.PRESETS, default="short")
    parser.add_argument("--rows", nargs="+", choices=rows.all_names(), metavar="NAME")
    parser.add_argument("--fresh", action="store_true", help="measure again")
    parser.add_argument("--page", action="store_true", help="fill the page's tables")
    parser.add_argument("--json", type=Path, default=RESULTS / "rows.json")
    parser.add_argument("--here", choices=rows.all_names(), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        write_json(options.json, rows.run(options.here, options.preset))
        return
    found = kept_rows(options.json)
    wanted = [] if options.page else options.rows or rows.names(options.preset)
    for name in wanted:
        if name in found["rows"] and not options.fresh:
            continue
        print(f"{name} …", flush=True)
        found["rows"][name] = measured(name, options.preset)
        found |= {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "command": "python -m benchmarks.speed",
            "seed": 0,
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        write_json(options.json, found)
    if options.page:
        report.fill(PAGE, found)
    for title, table in report.tables(found).items():
        print(f"\n{title}\n\n{table}")


if __name__ == "__main__":
    main()
