"""Learns the `creatures` explainer: the demonstration, with its result kept.

    python zoo/creatures/train_explainer.py [--out DIR]

Writes `explainer.keras`, `explainer.json` (sha256, figures on images that were not
learned from, with their controls) and `MODEL_CARD.md`. Takes some three minutes on two
cores.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_explainer.zoo.creatures.readable import save_readable

from keras_explainer import zoo
from keras_explainer.demo import Demo, demo, run_demo
from keras_explainer.files import write_json, write_text
from keras_explainer.runs import current_versions
from keras_explainer.teachers.fingerprint import file_sha256

logger = logging.getLogger(__name__)


def record_of(made: Demo, path: Path) -> dict[str, Any]:
    """What the zoo knows of the explainer."""
    metrics = {
        name: dict(part)
        for name, part in made.metrics.items()
        if name != "schema_version"
    }
    # Where the images lay is no property of the explainer.
    metrics["data"].pop("directory")
    return {
        "name": "creatures",
        "version": "1",
        "file": path.name,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "licence": "Apache-2.0",
        "teacher": "teacher.json",
        "data": {
            "species": demo.SPECIES,
            "images": f"Creatures({demo.IMAGE_SIZE}, ['{demo.SPECIES}'], "
            f"seed={demo.DATA_SEED})",
            "train_images": demo.TRAIN,
            "test_images": demo.TEST,
        },
        "filters": demo.FILTERS,
        "recipe_changes": demo.RECIPE,
        "metrics": metrics,
        "truth": made.truth,
        "training": {
            "command": "python zoo/creatures/train_explainer.py",
            "seed": 0,
            **current_versions(),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    path = options.out / "explainer.keras"
    with tempfile.TemporaryDirectory() as folder:
        made = run_demo(folder)
        explainer = made.run.load_explainer()
        save_readable(explainer, path)
        record = record_of(made, path)
    write_json(options.out / "explainer.json", record)
    card = zoo.model_card(zoo.ZooEntry("creatures").teacher, record)
    write_text(options.out / "MODEL_CARD.md", card)
    figures = made.truth["explainer"]
    logger.info(
        "%s: %.2f MB, tracking share %.2f, mask IoU %.2f",
        path,
        path.stat().st_size / 1e6,
        figures["tracking"]["share"],
        figures["mask_iou"]["iou"],
    )


if __name__ == "__main__":
    main()
