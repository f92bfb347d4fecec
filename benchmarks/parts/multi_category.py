"""One explainer for all categories: parts in each, fidelity over all.

    python -m benchmarks.parts.multi_category [--set places=32 --set filters=1536]
        [--epochs 8] [--seed 0] [--cache DIR] [--out DIR]

Data as for `benchmarks.parts`. The explainer learns from the train rows of all
categories together. Map-based figures are of each category's annotated test rows, as
for an explainer of one category; fidelity is of all of them together. The cache of
features (5 GB) is kept in `--cache`; rows that are there are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console

import keras_explainer as kx
from benchmarks.core import shared_folder
from benchmarks.parts.features import load_teacher
from benchmarks.parts.measure import BATCH, FIGURES
from benchmarks.rows import read_rows
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.files import write_json, write_text
from keras_explainer.metrics import PartMapFigures
from keras_explainer.runs import Fidelity

VIEWS = 4
RESULTS = Path(__file__).parents[1] / "results" / "multi_category"


def main() -> None:
    """Learns and measures, prints the table, writes JSON and text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="places")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    settings = {
        "recipe": options.recipe,
        "epochs": options.epochs,
        **{
            name: json.loads(value)
            for name, value in (text.split("=", 1) for text in options.set)
        },
    }
    path = options.out / "rows.json"
    key = {"settings": settings, "seed": options.seed}
    if not any(key.items() <= row.items() for row in read_rows(path)):
        with tempfile.TemporaryDirectory() as folder:
            found = run(settings, options.seed, options.cache or Path(folder))
        row = {
            **key,
            **found,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "keras_explainer": kx.__version__,
        }
        write_json(path, [*read_rows(path), row])
    text = table(read_rows(path))
    write_text(options.out / "table.md", text)
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def run(settings: dict[str, Any], seed: int, cache: Path) -> dict[str, Any]:
    """Learns one explainer on all categories; its figures."""
    keras.utils.set_random_seed(seed)
    teacher = load_teacher()
    folder = kx.ImageFolder(shared_folder(), image_size=teacher.input_shape[:2])
    features = FeatureCache.build(
        teacher,
        folder.train,
        ViewSpec(count=VIEWS, seed=0),
        directory=cache,
        dtype="float16",
    )
    start = time.perf_counter()
    explainer = kx.Explainer(teacher, seed=seed, **settings)
    explainer.compile(optimizer="adam")
    explainer.fit(
        features,
        epochs=explainer.recipe.epochs,
        batch_size=explainer.recipe.batch_size,
        verbose=2,
    )
    seconds = time.perf_counter() - start
    return {
        **measure(explainer, folder.test),
        "train_images": len(features),
        "seconds": round(seconds, 1),
    }


def measure(explainer: kx.Explainer, images: Any) -> dict[str, Any]:
    """Figures of each category's annotated test images, and of all together."""
    teacher = explainer.teacher
    fidelity = Fidelity(explainer)
    by_category: dict[str, Any] = {}
    centres = np.asarray(images.centres)
    shown = ~np.isnan(centres[..., 0]).all(-1)
    labels = np.asarray(images.labels)
    for category in sorted(set(labels)):
        rows = np.flatnonzero(shown & (labels == category))
        own = Fidelity(explainer)
        figures, of_teacher = PartMapFigures(), PartMapFigures()
        for batch in images.subset(rows.tolist()).batches(BATCH):
            tap, targets = teacher.extract(batch, batch_size=BATCH)
            figures.update(fidelity.update(tap, targets, batch_size=BATCH))
            own.update(tap, targets, batch_size=BATCH)
            of_teacher.update(tap)
        found = figures.result(centres[rows], teacher.input_shape[:2])
        teachers = of_teacher.result(centres[rows], teacher.input_shape[:2])
        by_category[category] = {
            **{name: found[name] for name in FIGURES},
            "teacher_landmark_error": teachers["landmark_error"],
            **_fidelity(own),
        }
    return {"categories": by_category, **_fidelity(fidelity), "p": explainer.share}


def _fidelity(measured: Fidelity) -> dict[str, Any]:
    found = measured.result()
    alone = found["without_ordinary"]
    return {
        "ev_logits": found["explained_variance"]["logits"],
        "ev_parts": alone["explained_variance"]["logits"],
        "agreement": found["top1_agreement"],
        "agreement_parts": alone["top1_agreement"],
        "agreement_constant": found["top1_constant"],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: one line for each explainer."""
    names = {
        "part_tracking_share": "tracking",
        "distinct_positions": "distinct",
        "concentration": "concentration",
        "location_instability": "instability",
        "landmark_error": "landmark error",
        "teacher_landmark_error": "teacher's",
    }
    over_all = {
        "agreement": "agreement",
        "agreement_parts": "agreement, parts alone",
        "agreement_constant": "constant",
        "ev_logits": "EV logits",
        "ev_parts": "EV, parts alone",
        "p": "p",
        "seconds": "seconds",
    }
    lines = [
        "One explainer for all categories; test rows. Map-based figures are means over "
        "the categories, fidelity is over all images. Agreement is among the teacher's "
        "1,000 classes.",
        "",
        "| settings | seed | "
        + " | ".join((*names.values(), *over_all.values()))
        + " |",
        "| --- " * (len(names) + len(over_all) + 2) + "|",
    ]
    for row in rows:
        settings = ", ".join(f"{k}={v}" for k, v in row["settings"].items())
        means = [
            np.mean([found[name] for found in row["categories"].values()])
            for name in names
        ]
        cells = [f"{value:.3f}" for value in means]
        cells += [f"{row[name]:.3f}" for name in over_all if name != "seconds"]
        cells.append(f"{row['seconds']:,.0f}")
        lines.append(f"| {settings} | {row['seed']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
