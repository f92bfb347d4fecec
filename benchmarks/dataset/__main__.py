"""Images a second and memory of `explain-dataset`: local and Spark, 1 and 2 workers.

    python -m benchmarks.dataset [--preset short|full] [--model creatures] [--rounds 2]

Each run is the command in a process of its own, and Spark a real standalone cluster on
the loopback interface, its master and workers counted too. One thread of TensorFlow a
worker. 1 and 2 workers take turns. KERAS_EXPLAINER_SHARED names the folder of the
photographs; without it drawn creatures are explained. Finished rows are kept, so that
it can go on. Images, models and outputs are in --work.

`cores_used_by_others` says how much of the machine was not ours: where it is not about
0, images a second say little, and `images_per_cpu_second` times the cores is what an
idle machine gives at best.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from rich.console import Console
from rich.table import Table

from benchmarks.dataset.prepare import MODELS, images, model
from benchmarks.rows import read_rows
from keras_explainer.files import write_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "dataset"
# (images, images of a part file) by preset.
PRESETS = {"short": (1280, 32), "full": (50_000, 512)}


def main() -> None:
    """Measures what is missing, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, default="short")
    parser.add_argument("--model", choices=MODELS, default="creatures")
    parser.add_argument("--images", type=int, help="instead of the preset's")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=["local", "spark"])
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--contributions", action="store_true")
    parser.add_argument("--work", type=Path, default=Path(".cache") / "dataset")
    parser.add_argument("--json", type=Path, default=RESULTS / "rows.json")
    options = parser.parse_args()
    from benchmarks.dataset.measure import measure

    count, part = PRESETS[options.preset]
    count = options.images or count
    folder, kind = images(count, options.work.resolve())
    saved = model(options.model, options.work.resolve())
    rows = read_rows(options.json)
    for round_ in range(options.rounds):
        for engine in options.engines:
            for workers in options.workers:
                key = {
                    "model": options.model,
                    "images": kind,
                    "count": count,
                    "rows_per_part": part,
                    "contributions": options.contributions,
                    "engine": engine,
                    "workers": workers,
                    "round": round_,
                }
                if any(row["key"] == key for row in rows):
                    continue
                found = measure(
                    saved, folder, engine, workers, part, options.contributions
                )
                rows.append({"key": key, **found, "machine": machine(engine)})
                write_json(options.json, rows)
    show(rows)


def machine(engine: str) -> dict[str, Any]:
    """Where it ran, and with which versions."""
    from importlib.metadata import version

    names = ["tensorflow", "numpy", "pyarrow", *(["pyspark"] * (engine == "spark"))]
    return {
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "niceness": os.nice(0),
        "versions": {name: version(name) for name in names},
    }


def show(rows: list[dict[str, Any]]) -> None:
    """Prints the table, and how much faster two workers were in each round."""
    table = Table(
        *("model", "contributions", "engine", "workers", "round", "images/s"),
        *("per CPU s", "cores", "others'", "peak MiB", "first part s"),
    )
    for row in rows:
        key, steady = row["key"], row["steady"]
        table.add_row(
            f"{key['model']}, {key['count']} {key['images']}",
            "yes" if key["contributions"] else "no",
            key["engine"],
            str(key["workers"]),
            str(key["round"]),
            f"{steady['images_per_second']:.1f}",
            f"{steady['images_per_cpu_second']:.1f}",
            f"{steady['cores_used']:.2f}",
            f"{steady['cores_used_by_others']:.2f}",
            str(row["memory_mib"]["peak"]),
            f"{row['first_part_after_seconds']:.0f}",
        )
    Console().print(table)
    for row in rows:
        if row["key"]["workers"] != 2:
            continue
        one = {**row["key"], "workers": 1}
        for other in rows:
            if other["key"] == one:
                ratios = [
                    row["steady"][name] / other["steady"][name]
                    for name in ("images_per_second", "images_per_cpu_second")
                ]
                print(
                    f"{one['model']}, {one['engine']}, round {one['round']}: 2 workers "
                    f"{ratios[0]:.2f} times as fast as 1; at their CPU time alone "
                    f"{2 * ratios[1]:.2f} times."
                )


if __name__ == "__main__":
    main()
