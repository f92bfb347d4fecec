"""How fast creatures are drawn, with all of their truth, on one core.

    python -m benchmarks.drawing [--json FILE]

Median of several rounds, in images a second of wall time; the first round, which makes
the scenery, is stated by itself.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from rich.console import Console
from rich.table import Table

from keras_explainer.datasets.creatures import Creatures
from keras_explainer.files import write_json
from keras_explainer.version import __version__

SETTINGS: dict[str, dict[str, Any]] = {
    "96 x 96": {},
    "96 x 96, two companions": {"companions": 2},
    "224 x 224": {"image_size": 224},
}


def rates(settings: dict[str, Any], images: int, rounds: int) -> tuple[float, float]:
    """Images a second in the first round, and the median of the others."""
    creatures = Creatures(**settings)
    found = []
    for number in range(rounds + 1):
        start = time.perf_counter()
        creatures.generate(images, start=number * images)
        found.append(images / (time.perf_counter() - start))
    return found[0], statistics.median(found[1:])


def main() -> None:
    """Measures, prints the table, writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    table = Table(title="Images drawn a second, one core")
    for name in ("", "first round", "median"):
        table.add_column(name, justify="right" if name else "left")
    rows = {}
    for name, settings in SETTINGS.items():
        first, later = rates(settings, options.images, options.rounds)
        rows[name] = {"first_round": round(first), "median": round(later)}
        table.add_row(name, f"{first:.0f}", f"{later:.0f}")
    Console().print(table)
    if options.json:
        write_json(
            options.json,
            {
                "images_per_second": rows,
                "images": options.images,
                "rounds": options.rounds,
                "machine": platform.machine(),
                "numpy": np.__version__,
                "keras_explainer": __version__,
            },
        )


if __name__ == "__main__":
    main()
