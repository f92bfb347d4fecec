"""The main job on drawn creatures: draw, learn, measure against the truth, show."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from keras_explainer import explanation, runs, zoo
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.demo.ground_truth import ground_truth
from keras_explainer.demo.learning_curves import has_matplotlib, save_learning_curves
from keras_explainer.errors import ConfigError, RunError
from keras_explainer.explainer import Explainer
from keras_explainer.files import save_atomically, write_json
from keras_explainer.runs import Progress
from keras_explainer.runs.run_files import writing

IMAGE_SIZE = 96
DATA_SEED = 2
"""Of the images; the teacher's were drawn with 0 (learned) and 1 (measured)."""
SPECIES = "griffin"
"""The one with all five parts."""
TRAIN, TEST = 700, 500
FILTERS = 32
EPOCHS = 25
RECIPE: dict[str, Any] = {"beta": 3.0}
"""What differs from the recipe: on a map of 12 cells a part takes some four."""
PICTURES = 8


@dataclass(frozen=True)
class Demo:
    """What a demonstration left.

    Attributes:
        folder: of all that follows.
        run: the run folder, `run/`.
        metrics: content of `run/metrics.json`.
        truth: content of `truth.json`, see `ground_truth`.
        pictures: files, in the order in which to look at them.
        curves: the learning curves; None without matplotlib.
    """

    folder: Path
    run: runs.RunFolder
    metrics: dict[str, Any]
    truth: dict[str, Any]
    pictures: list[Path]
    curves: Path | None


def run_demo(
    out: str | os.PathLike[str],
    *,
    species: str = SPECIES,
    filters: int = FILTERS,
    epochs: int = EPOCHS,
    train: int = TRAIN,
    test: int = TEST,
    seed: int = 0,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
) -> Demo:
    """Draws creatures, learns which parts their teacher looks at, and checks it.

    Writes to `out`: `images/` (with a `parts.csv`), `run/` (a run folder, as
    `keras-explainer train` leaves it), `truth.json` and `pictures/`. No part or label
    is learned from.

    Args:
        out: a folder; made if need be.
        species: of the creatures, one of `Creatures.SPECIES`. As with photographs, an
            explainer is learned for one category; the teacher knows all.
        filters, epochs, seed: of the explainer.
        train, test: numbers of images to learn from and to measure on.
        overwrite: replace a demonstration that is there.
        resume: go on with one that was interrupted.
        progress: see `keras_explainer.runs.train`.

    Raises:
        RunError: a folder that holds something else, or cannot be written.
        ConfigError: arguments that are not accepted.
    """
    for name, value, least in (("train", train, 2), ("test", test, 8)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ConfigError(f"{name} is a whole number from {least}, got {value!r}.")
    folder = Path(out)
    # Absolute in the run, which is then found from wherever a command is given.
    images = folder.resolve() / "images"
    runs.RunFolder.check_new(folder / "run", overwrite or resume)
    creatures = Creatures(IMAGE_SIZE, [species], seed=DATA_SEED)
    wanted = {"species": species, "seed": DATA_SEED, "train": train, "test": test}
    _draw(creatures, images, wanted, progress)
    teacher = zoo.load_teacher("creatures")
    config = runs.RunConfig(
        teacher=teacher.source,
        data=runs.DataConfig(str(images)),
        explainer=runs.ExplainerConfig(
            filters=filters,
            recipe=runs.resolve_recipe("single", RECIPE),
            seed=seed,
        ),
        learning=runs.LearningConfig(epochs=epochs),
    )
    run = runs.train(
        folder / "run",
        config,
        teacher=teacher,
        overwrite=overwrite,
        resume=resume,
        progress=progress,
    )
    metrics = runs.evaluate(run, teacher=teacher, progress=progress)
    run.write_metrics(metrics)
    drawn = creatures.generate(test, start=train)
    explainer = run.load_explainer(teacher)
    truth = ground_truth(explainer, drawn)
    best = dict.fromkeys(row["filter"] for row in truth["explainer"]["best_filters"])
    curves = None
    with writing(folder):
        write_json(folder / "truth.json", truth)
        shown = _pictures(
            folder / "pictures", explainer, drawn.images, list(best), progress
        )
        if has_matplotlib():
            curves = folder / "pictures" / "learning_curves.png"
            save_learning_curves(run.history, curves)
    return Demo(folder, run, metrics, truth, shown, curves)


def _draw(
    creatures: Creatures,
    folder: Path,
    wanted: dict[str, Any],
    progress: Progress | None,
) -> None:
    """The images, unless the same ones are there already."""
    record = folder / "creatures.json"
    if (folder / "parts.csv").exists():
        if record.exists() and json.loads(record.read_text("utf-8")) == wanted:
            return
        raise RunError(
            f"{folder} holds other images than this demonstration's. Choose another "
            "folder, or remove it."
        )
    if progress is not None:
        progress("Drawing", 0, 1, {})
    # The record first: images without a table are drawn again.
    with writing(folder):
        write_json(record, wanted)
    creatures.write_folder(folder, wanted["train"], wanted["test"])
    if progress is not None:
        progress("Drawing", 1, 1, {})


def _pictures(
    folder: Path,
    explainer: Explainer,
    images: np.ndarray,
    filters: list[int],
    progress: Progress | None,
) -> list[Path]:
    """A grid of some filters over images, and a picture for each of some images."""
    shown = images[: 8 * PICTURES]
    found = explanation.explain(explainer, shown, verbose=0)
    written: list[Path] = []

    def save(picture: Image.Image, name: str) -> None:
        save_atomically(folder / name, lambda path: picture.save(path, "PNG"))
        written.append(folder / name)
        if progress is not None:
            progress("Pictures", len(written), PICTURES + 1, {})

    grid = explanation.part_grid(
        shown, found, filters, columns=PICTURES, strongest=True
    )
    save(grid, "parts.png")
    for number in range(min(PICTURES, len(shown))):
        picture = explanation.explanation_picture(shown[number], found[number])
        save(picture, f"image_{number + 1}.png")
    return written
