"""Contributions, presence and their cost: cases x seeds.

    python -m benchmarks.explanations [--mobilenet dog,lion] [--vgg griffin]
        [--shipped griffin] [--seeds 0] [--recipe single]
        [--set ordinary_drop=0.5] [--images 64] [--contributions]
        [--keep DIR] [--out DIR] [--page]

MobileNet 0.75 (ImageNet weights) on the animal-part photographs, in the folder named by
KERAS_EXPLAINER_SHARED (default ../shared); a small VGG on drawn creatures; the
zoo's explainer of griffins. Explainers are learned on train images, all figures are of
others. Rows that are there are kept: a
stopped benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.explanations.cases import CATEGORIES, SPECIES, mobilenet, shipped, vgg
from benchmarks.explanations.measure import measure
from benchmarks.explanations.report import TEACHERS, page_tables, table
from benchmarks.pages import fill
from benchmarks.rows import read_rows
from keras_explainer.files import write_json, write_text
from keras_explainer.version import __version__

PAGE = Path(__file__).parents[2] / "docs" / "explanations.md"
MAKERS = dict(zip(TEACHERS, (mobilenet, vgg, shipped), strict=True))


def main() -> None:
    """Runs what is missing, prints the table, writes JSON and text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mobilenet", default=",".join(CATEGORIES))
    parser.add_argument("--vgg", default=",".join(SPECIES))
    parser.add_argument("--shipped", default="griffin")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--recipe", default="places")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--images", type=int, help="of those not learned from, the first so many"
    )
    parser.add_argument(
        "--contributions",
        action="store_true",
        help="leave out names and presence, which take long",
    )
    parser.add_argument(
        "--keep", type=Path, help="folder where weights of learned explainers are kept"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parents[1] / "results" / "explanations",
    )
    parser.add_argument(
        "--page", action="store_true", help="fill docs/explanations.md, learn nothing"
    )
    options = parser.parse_args()
    settings: dict[str, Any] = {
        name: json.loads(value)
        for name, value in (text.split("=", 1) for text in options.set)
    }
    settings["recipe"] = options.recipe
    learned_with = [options.recipe, *options.set]
    changed = list(learned_with)
    if options.images is not None:
        changed.append(f"{options.images} images")
    variant = " ".join(changed)
    path = options.out / "rows.json"
    wanted = [
        (teacher, name, seed)
        for teacher, names in zip(
            MAKERS, (options.mobilenet, options.vgg, options.shipped), strict=True
        )
        for name in names.split(",")
        if name and not options.page
        for seed in map(int, options.seeds.split(","))
    ]
    for teacher, name, seed in wanted:
        rows = read_rows(path)
        key = {"teacher": teacher, "name": name, "seed": seed, "variant": variant}
        if any(key.items() <= row.items() for row in rows):
            continue
        start = time.perf_counter()
        kept = None
        if options.keep is not None:
            learned = " ".join(learned_with)
            place = f"{teacher}-{name}-{seed}-{learned}".replace(" ", "_")
            kept = options.keep / f"{place}.weights.h5"
        case = MAKERS[teacher](name, seed, settings, kept).first(options.images)
        seconds = time.perf_counter() - start
        row = {
            **key,
            "learn_seconds": round(seconds, 1),
            **measure(case, seed, not options.contributions),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "keras_explainer": __version__,
        }
        rows = read_rows(path)
        write_json(path, [*rows, row])
        del case
        gc.collect()
    rows = read_rows(path)
    if options.page:
        fill(PAGE, page_tables(rows))
    text = Console(record=True, width=220)
    text.print(table(rows))
    write_text(options.out / "table.txt", text.export_text())


if __name__ == "__main__":
    main()
