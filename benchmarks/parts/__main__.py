"""Methods that find parts, side by side: methods x categories x seeds.

    python -m benchmarks.parts [--preset short|full] [--categories dog,lion]
        [--seeds 0] [--methods NAME;NAME] [--ablations] [--out DIR]

Data: the animal-part photographs and MobileNet 0.75 ImageNet weights in the folder
named by KERAS_EXPLAINER_SHARED (default ../shared). All methods have the same features,
images and figures; each learns from the train rows without annotations and is measured
on the test rows. Finished rows are kept in `--out`: a stopped benchmark goes on where
it was, and several runs may share the work.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
from pathlib import Path

from rich.console import Console

from benchmarks.parts.categories import TUNING
from benchmarks.parts.features import load_category, load_teacher
from benchmarks.parts.methods import ABLATIONS, METHODS, SHUFFLED, run_method
from benchmarks.parts.report import write_reports
from benchmarks.rows import read_rows
from keras_explainer.files import write_json
from keras_explainer.version import __version__

PRESETS = {"short": (TUNING[:6], (0,)), "full": (None, (0,))}


def main() -> None:
    """Runs what is missing, writes rows, tables and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="short")
    parser.add_argument("--categories")
    parser.add_argument("--seeds")
    parser.add_argument("--methods", help="names, a semicolon between them")
    parser.add_argument(
        "--ablations", action="store_true", help="the recipe with places less a part"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1] / "results" / "parts"
    )
    options = parser.parse_args()
    categories, seeds = PRESETS[options.preset]
    if options.categories:
        categories = tuple(options.categories.split(","))
    if options.seeds:
        seeds = tuple(map(int, options.seeds.split(",")))
    methods = tuple(ABLATIONS) if options.ablations else METHODS
    if options.methods:
        methods = tuple(options.methods.split(";"))
    if unknown := set(methods) - {*METHODS, *ABLATIONS}:
        parser.error(
            f"unknown methods {sorted(unknown)}; there are {METHODS} and "
            f"{tuple(ABLATIONS)}"
        )
    path = options.out / "rows.json"
    rows = read_rows(path)
    console = Console()
    teachers = {}
    for name in categories or all_categories():
        for shuffled in (False, True):
            missing = [
                (method, seed)
                for seed in seeds
                for method in methods
                if (method in SHUFFLED) == shuffled
                and not any(
                    (row["category"], row["method"], row["seed"])
                    == (name, method, seed)
                    for row in rows
                )
            ]
            if not missing:
                continue
            if shuffled not in teachers:
                teachers[shuffled] = load_teacher(shuffled)
            category = load_category(name, teachers[shuffled])
            for method, seed in missing:
                found = run_method(method, category, seed)
                # Read anew: another run may have added rows meanwhile.
                rows = [
                    *read_rows(path),
                    {
                        "category": name,
                        "method": method,
                        "seed": seed,
                        "train_images": len(category.train),
                        "test_images": len(category.test),
                        **found,
                        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
                        "keras_explainer": __version__,
                    },
                ]
                write_json(path, rows)
                console.print(
                    f"{name}, {method}, seed {seed}: tracking "
                    f"{found['part_tracking_share']:.3f}, EV {found['ev_logits']}, "
                    f"parts alone {found['ev_parts']}, {found['seconds']} s",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )
            del category
            gc.collect()
    table = write_reports(rows, options.out)
    console.print(table, markup=False, highlight=False, soft_wrap=True)


def all_categories() -> tuple[str, ...]:
    """The names in the part table."""
    from benchmarks.core import shared_folder
    from keras_explainer.datasets.part_table import PartTable

    return tuple(sorted(set(PartTable.read(shared_folder() / "parts.csv").names)))


if __name__ == "__main__":
    main()
