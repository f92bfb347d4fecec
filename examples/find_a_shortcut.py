"""Find a shortcut: does a network look at the animal, or at a mark beside it?

    python examples/find_a_shortcut.py [--out shortcut] [--seed 0]

Two small CNNs learn to tell foxes from rams and herons on the same drawn images. In the
images of one of them every fox bears a small mark, somewhere near the border; the other
never sees it. Explainers of both are learned, without a label and without being told of
the mark, and look at the same images: foxes with the mark, which neither has seen.

Writes `shortcut.json` (what was measured), `shortcut.png` and a report of each network.
Takes some six minutes on two cores; see `--help` for smaller settings.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image, ImageDraw

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.explanation import part_grid, summarize
from keras_explainer.explanation.drawing import font
from keras_explainer.files import save_atomically, write_json
from keras_explainer.runs import current_versions

SPECIES = ["fox", "ram", "heron"]
MARKED = "fox"
SIZE, SIDE = 96, 14
"""Pixels of an image's side, and of the mark's."""
COLOUR = (60, 200, 210)
"""A plain patch. A mark that looks like an eye draws filters of any network here."""
BORDER = 30
"""The mark lies within this many pixels of the image's border."""
TEN = 10


@dataclass(frozen=True)
class Settings:
    """How much is drawn and learned."""

    train: int = 2400
    explained: int = 600
    test: int = 300
    teacher_epochs: int = 12
    epochs: int = 20
    filters: int = 32
    seed: int = 0


def with_marks(images: np.ndarray, which: np.ndarray, seed: int) -> tuple[Any, Any]:
    """Copies of the images, those in `which` with a mark, and where it is.

    Returns:
        Images, and (n, 2) the mark's (top, left) in pixels.
    """
    random = np.random.default_rng(seed)
    marked = images.copy()
    places = np.zeros((len(images), 2), int)
    for at in range(len(images)):
        inside = True
        while inside:
            top, left = random.integers(0, SIZE - SIDE + 1, 2)
            middle = np.array([top, left]) + SIDE / 2
            inside = bool((np.minimum(middle, SIZE - middle) > BORDER).all())
        places[at] = top, left
        if which[at]:
            marked[at, top : top + SIDE, left : left + SIDE] = COLOUR
    return marked, places


def classifier() -> keras.Model:
    """A small CNN; its map of 12 x 12 is where it is explained."""
    layers = keras.layers
    x = image = keras.Input((SIZE, SIZE, 3))
    x = layers.Rescaling(1 / 127.5, offset=-1)(x)
    for filters, stride, name in (
        (16, 2, "low_1"),
        (32, 2, "low_2"),
        (48, 1, "low_3"),
        (64, 2, "middle"),
        (64, 1, "high_1"),
        (96, 2, "high_2"),
    ):
        x = layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.ReLU(name=name)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(len(SPECIES), activation="softmax")(x)
    return keras.Model(image, x, name="small_cnn")


def learn_teacher(
    images: np.ndarray, labels: np.ndarray, settings: Settings
) -> keras.Model:
    """Trains a classifier from nothing."""
    keras.utils.set_random_seed(settings.seed)
    model = classifier()
    steps = -(-len(images) // 32) * settings.teacher_epochs
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(images, labels, batch_size=32, epochs=settings.teacher_epochs, verbose=0)
    return model


def explain_teacher(
    model: keras.Model, images: np.ndarray, settings: Settings
) -> kx.Explainer:
    """Learns an explainer from images alone."""
    keras.utils.set_random_seed(settings.seed)
    teacher = kx.Teacher(model, tap="middle", targets=["high_2"], labels=SPECIES)
    explainer = kx.Explainer(
        teacher, filters=settings.filters, recipe=kx.Recipe(beta=3.0)
    )
    explainer.compile(optimizer="adam")
    explainer.fit(images, epochs=settings.epochs, verbose=0)
    return explainer


def on_mark(positions: np.ndarray, places: np.ndarray, cell: float) -> np.ndarray:
    """Whether the cell around each position (n, F, 2) touches the mark (n, F).

    A filter that is silent lies nowhere (NaN).
    """
    low = places[:, None] - cell / 2
    high = places[:, None] + SIDE + cell / 2
    return ((positions > low) & (positions < high)).all(-1)


def measure(
    explainer: kx.Explainer, images: np.ndarray, places: np.ndarray
) -> tuple[dict[str, Any], Any]:
    """Which filters count most for the class, and how often they lie on a mark."""
    found = explainer.explain(images, MARKED, verbose=0)
    filters = explainer.filters
    positions = np.full((len(images), filters, 2), np.nan)
    for row, item in enumerate(found):
        for part in item.parts:
            if part.position is not None:
                positions[row, part.filter] = part.position
    cell = SIZE / found[0].map_size[0]
    hits = on_mark(positions, places, cell)
    # The control: the same positions held against the marks of other images.
    chance = on_mark(positions, np.roll(places, 1, axis=0), cell)
    summary = summarize(explainer, images, MARKED, top=0, verbose=0)
    largest = sorted(summary.filters, key=lambda one: -(one.contribution or 0))[:TEN]
    rows = [
        {
            "filter": one.filter,
            "contribution": one.contribution,
            "use": one.use,
            "on_mark": float(hits[:, one.filter].mean()),
            "chance": float(chance[:, one.filter].mean()),
        }
        for one in largest
    ]
    shared = [item.contributions for item in found if item.contributions]
    return {
        "largest_filters": rows,
        "all_filters": float(np.mean([one.filters for one in shared])),
        "ordinary_track": float(np.mean([one.ordinary for one in shared])),
        "p": explainer.share,
    }, found


def probability(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Of the marked class, for each image."""
    scores = model.predict(images, batch_size=64, verbose=0)
    return scores[:, SPECIES.index(MARKED)]


def run(settings: Settings, out: Path, reports: bool = True) -> dict[str, Any]:
    """Learns, measures and draws; the content of `shortcut.json`."""
    creatures = Creatures(SIZE, SPECIES, seed=11, distractors=0)
    drawn = creatures.generate(settings.train)
    is_fox = drawn.labels == SPECIES.index(MARKED)
    marked, _ = with_marks(drawn.images, is_fox, seed=1)
    held_out = creatures.generate(3 * settings.test, start=settings.train)
    foxes = held_out.labels == SPECIES.index(MARKED)
    plain = held_out.images[foxes]
    test, places = with_marks(plain, np.ones(len(plain), bool), seed=2)
    others = held_out.images[~foxes]
    marked_others, _ = with_marks(others, np.ones(len(others), bool), seed=3)

    measured: dict[str, Any] = {
        "schema_version": 1,
        "settings": asdict(settings),
        "images": {"marked": len(test), "species": SPECIES, "marked_species": MARKED},
        "versions": current_versions(),
    }
    rows = []
    for name, images in (("planted", marked), ("clean", drawn.images)):
        model = learn_teacher(images, drawn.labels, settings)
        explainer = explain_teacher(model, images[: settings.explained], settings)
        figures, found = measure(explainer, test, places)
        scores = model.predict(held_out.images, batch_size=64, verbose=0)
        measured[name] = {
            "teacher": {
                "accuracy_without_marks": float(
                    (scores.argmax(1) == held_out.labels).mean()
                ),
                "fox_with_mark": float(probability(model, test).mean()),
                "fox_without_mark": float(probability(model, plain).mean()),
                "others_with_mark_called_fox": float(
                    (probability(model, marked_others) > 0.5).mean()
                ),
            },
            **figures,
        }
        first = figures["largest_filters"][0]
        print(
            f"{name}: filter {first['filter']} adds most to '{MARKED}' "
            f"({first['contribution']:+.2f}) and lies on the mark in "
            f"{first['on_mark']:.0%} of the images (by chance {first['chance']:.0%}); "
            f"of the ten largest the one most often there in "
            f"{max(row['on_mark'] for row in figures['largest_filters']):.0%}"
        )
        grid = part_grid(test[:8], found[:8], [first["filter"]], columns=8, side=112)
        rows.append((name, grid, first))
        if reports:
            from keras_explainer.report import write_report

            write_report(
                explainer,
                out / f"{name}.html",
                test,
                class_index=MARKED,
                part_names={first["filter"]: "largest contribution"},
                force=True,
            )
    picture = drawing(rows)
    save_atomically(out / "shortcut.png", lambda path: picture.save(path, "PNG"))
    write_json(out / "shortcut.json", measured)
    return measured


def drawing(rows: list[tuple[str, Image.Image, dict[str, Any]]]) -> Image.Image:
    """The filter with the largest contribution of both networks, on the same images."""
    titles = {
        "planted": "Learned from foxes that bear a mark",
        "clean": "Learned from foxes without a mark",
    }
    width = max(grid.width for _, grid, _ in rows)
    height = sum(grid.height + 44 for _, grid, _ in rows) + 8
    picture = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(picture)
    top = 8
    for name, grid, first in rows:
        text = (
            f"{titles[name]}: the filter that adds most to “{MARKED}” "
            f"({first['contribution']:+.2f}) lies on the mark in {first['on_mark']:.0%}"
        )
        draw.text((12, top + 8), text, fill=(31, 35, 40), font=font(19))
        picture.paste(grid, (0, top + 38))
        top += grid.height + 44
    return picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=128)


def main() -> None:
    """Runs with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("shortcut"))
    parser.add_argument("--no-reports", action="store_true")
    for name, value in asdict(Settings()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    given = vars(parser.parse_args())
    out, no_reports = given.pop("out"), given.pop("no_reports")
    out.mkdir(parents=True, exist_ok=True)
    run(Settings(**given), out, not no_reports)
    print(f"Look at: {out / 'shortcut.png'}")


if __name__ == "__main__":
    main()
