"""The main job on real photographs: `train` and `evaluate`, category by category.

    python -m benchmarks.core [--categories dog,lion] [--seeds 0] [--out DIR]

Data: the animal-part photographs and MobileNet 0.75 ImageNet weights in the folder
named by KERAS_EXPLAINER_SHARED (default ../shared). Learns on the train rows, measures
on the test rows. Every category and seed is a process of its own, whose wall time and
peak memory are measured. Finished rows are kept in `--out`: a stopped benchmark goes on
where it was.
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

from rich.console import Console
from rich.table import Table

from keras_explainer.files import write_json, write_text
from keras_explainer.version import __version__

CATEGORIES = ("dog", "lion", "squirrel", "giant panda")
TAP = "conv_pw_11_relu"
COLUMNS = {
    "part_tracking_share": "tracking",
    "location_instability": "instability",
    "landmark_error": "landmark",
    "distinct_positions": "distinct",
    "concentration": "concentration",
    "dead_filters": "dead",
}


def shared_folder() -> Path:
    """Where the photographs are."""
    default = Path(__file__).resolve().parents[2] / "shared"
    return Path(os.environ.get("KERAS_EXPLAINER_SHARED", default)) / "animalparts"


def measured(command: list[str]) -> tuple[float, float]:
    """Runs a command; its wall time in seconds and peak memory in GiB."""
    code = (
        "import resource, subprocess, sys;"
        "code = subprocess.run(sys.argv[1:]).returncode;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);"
        "sys.exit(code)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *command], stdout=subprocess.PIPE, check=True
    )
    seconds = time.perf_counter() - start
    return seconds, int(done.stdout.split()[-1]) / 2**20


def one(category: str, seed: int, extra: list[str]) -> dict[str, Any]:
    """Trains and evaluates one explainer; its figures."""
    data = shared_folder()
    program = [sys.executable, "-m", "keras_explainer.cli"]
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        where = ["--data", str(data), "--category", category]
        seconds, memory = measured(
            [
                *program, "train", "--teacher", "MobileNet", "--teacher-arg",
                "alpha=0.75", "--weights", str(data / "mobilenet_075_224.weights.h5"),
                "--tap", TAP, *where, "--out", run, "--seed", str(seed), *extra,
            ]
        )  # fmt: skip
        measured([*program, "evaluate", run, *where, "--json", f"{folder}/m.json"])
        metrics = json.loads(Path(f"{folder}/m.json").read_text())
    # Where the photographs lie is no result.
    metrics["data"].pop("directory", None)
    return {
        "category": category,
        "seed": seed,
        "train_seconds": round(seconds, 1),
        "train_peak_gib": round(memory, 2),
        "metrics": metrics,
    }


def row_of(figures: dict[str, Any]) -> list[str]:
    """The map-based figures of a table's row."""
    return [
        f"{figures[key]:.3f}"
        if isinstance(figures.get(key), float)
        else str(figures.get(key))
        for key in COLUMNS
    ]


def mean(rows: list[dict[str, Any]], part: str) -> dict[str, Any]:
    """Mean over rows of the numbers of one part of metrics.json."""
    keys = [
        k for k, v in rows[0]["metrics"][part].items() if isinstance(v, int | float)
    ]
    return {
        key: sum(row["metrics"][part][key] for row in rows) / len(rows) for key in keys
    }


def table(rows: list[dict[str, Any]]) -> Table:
    """One line for each explainer, with its teacher's and the constant's under it."""
    shown = Table(title="Explainers of MobileNet 0.75, test rows")
    for name in ("", *COLUMNS.values(), "EV logits", "EV without ordinary",
                 "agreement (constant)", "p", "seconds", "GiB"):  # fmt: skip
        shown.add_column(name, justify="left" if not name else "right")
    for row in rows:
        metrics = row["metrics"]
        found = metrics["explainer"]
        shown.add_row(
            f"{row['category']}, seed {row['seed']}",
            *row_of(found),
            f"{found['explained_variance']['logits']:.3f}",
            f"{found['without_ordinary']['explained_variance']['logits']:.3f}",
            f"{found['top1_agreement']:.2f} ({found['top1_constant']:.2f})",
            f"{found['p']:.3f}",
            f"{row['train_seconds']:.0f}",
            f"{row['train_peak_gib']:.2f}",
        )
        shown.add_row("  its teacher", *row_of(metrics["teacher"]))
        constant = metrics["baselines"]["constant_position"]
        shown.add_row("  constant position", *row_of(constant))
    logits = [r["metrics"]["explainer"]["explained_variance"]["logits"] for r in rows]
    shown.add_section()
    shown.add_row(
        "mean", *row_of(mean(rows, "explainer")), f"{sum(logits) / len(logits):.3f}"
    )
    shown.add_row("  its teacher", *row_of(mean(rows, "teacher")))
    return shown


def main() -> None:
    """Runs what is missing, prints the table, writes JSON and text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    parser.add_argument("--seeds", default="0")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "core"
    )
    parser.add_argument("extra", nargs="*", help="further arguments of train, after --")
    arguments = parser.parse_args()
    if not shared_folder().is_dir():
        sys.exit(f"There are no photographs at {shared_folder()}.")
    state = arguments.out / "rows.json"
    settings = {"version": __version__, "extra": arguments.extra}
    rows: list[dict[str, Any]] = []
    if state.exists():
        known = json.loads(state.read_text())
        if known["settings"] != settings:
            sys.exit(f"{state} is of other settings: remove it or give another --out.")
        rows = known["rows"]
    console = Console(width=160)
    for category in arguments.categories.split(","):
        for seed in (int(value) for value in arguments.seeds.split(",")):
            if any(r["category"] == category and r["seed"] == seed for r in rows):
                continue
            console.print(f"{category}, seed {seed} …")
            rows.append(one(category, seed, arguments.extra))
            write_json(
                state,
                {
                    "settings": settings,
                    "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                    "python": platform.python_version(),
                    "rows": rows,
                },
            )
    shown = table(rows)
    console.print(shown)
    with console.capture() as text:
        console.print(shown)
    write_text(arguments.out / "table.txt", text.get())


if __name__ == "__main__":
    main()
