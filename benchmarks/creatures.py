"""Against the truth: the demonstration, for species and seeds.

    python -m benchmarks.creatures [--species griffin,heron] [--seeds 0] [--out DIR]

Draws creatures, learns an explainer of the shipped teacher for each species and seed
with the settings of `keras-explainer demo`, and measures on other creatures, of which
centre, mask and presence of each part are known. Rows that are there are kept: a
stopped benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import read_rows
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.demo import run_demo
from keras_explainer.files import write_json, write_text
from keras_explainer.version import __version__


def one(species: str, seed: int) -> dict[str, Any]:
    """Learns and measures one explainer; its figures."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = run_demo(folder, species=species, seed=seed)
        seconds = time.perf_counter() - start
        metrics = made.metrics
        metrics["data"].pop("directory")
        return {
            "species": species,
            "seed": seed,
            "seconds": round(seconds, 1),
            "metrics": metrics,
            "truth": made.truth,
        }


def shown(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None else f"{value:.2f}"


def table(rows: list[dict[str, Any]]) -> Table:
    """One line for each explainer, with the control in brackets, and their mean."""
    parts = list(Creatures.PARTS)
    made = Table(title="Explainers of drawn creatures (the teacher's channels)")
    for name in ("", "tracking", *parts, "mask IoU", "by chance", "presence AUC",
                 "follow distractors", "test", "EV logits", "EV without ordinary",
                 "seconds"):  # fmt: skip
        made.add_column(name, justify="left" if not name else "right")
    for row in rows:
        truth, variance = row["truth"], row["metrics"]["explainer"]
        mine, theirs = truth["explainer"], truth["teacher"]
        made.add_row(
            f"{row['species']}, seed {row['seed']}",
            f"{shown(mine['tracking']['share'])} "
            f"({shown(theirs['tracking']['share'])})",
            *map(shown, mine["tracking"]["by_part"]),
            f"{shown(mine['mask_iou']['iou'])} ({shown(theirs['mask_iou']['iou'])})",
            shown(mine["mask_iou"]["chance"]),
            f"{shown(mine['presence']['auc'])} ({shown(theirs['presence']['auc'])})",
            f"{shown(mine['distractors']['share'])} "
            f"({shown(theirs['distractors']['share'])})",
            "passed" if truth["distractor_test_passed"] else "failed",
            shown(variance["explained_variance"]["logits"]),
            shown(variance["without_ordinary"]["explained_variance"]["logits"]),
            f"{row['seconds']:.0f}",
        )
    return made


def main() -> None:
    """Runs what is missing, prints the table, writes JSON and text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--species", default=",".join(Creatures.SPECIES))
    parser.add_argument("--seeds", default="0")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "creatures"
    )
    options = parser.parse_args()
    path = options.out / "rows.json"
    rows = read_rows(path)
    done = {(row["species"], row["seed"]) for row in rows}
    for seed in map(int, options.seeds.split(",")):
        for species in options.species.split(","):
            if (species, seed) not in done:
                row = {
                    "keras_explainer": __version__,
                    "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                    **one(species, seed),
                }
                rows.append(row)
                write_json(path, rows)
    text = Console(record=True, width=200)
    text.print(table(rows))
    write_text(options.out / "table.txt", text.export_text())


if __name__ == "__main__":
    main()
