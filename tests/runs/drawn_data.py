"""A folder of drawn images with part centres, and a small teacher for them."""

from __future__ import annotations

import csv
from pathlib import Path

import keras
import numpy as np
from compilation import zero_initializers
from PIL import Image, ImageDraw

SIDE = 48
"""Pixels of the drawn images; the teacher takes 40 x 48."""
INPUT = (40, 48, 3)
LABELS = ("cat", "dog", "bird")


def write_images(
    root: Path, train: int = 16, test: int = 40, seed: int = 0, parts: bool = True
) -> Path:
    """Draws a disc (head) and a square (legs) on noise; `parts.csv` says where.

    Every fifth test image has no centre, every third has no legs.
    """
    random = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    rows = []
    for index in range(train + test):
        noise = random.integers(60, 120, (SIDE, SIDE, 3)).astype("uint8")
        image = Image.fromarray(noise)
        draw = ImageDraw.Draw(image)
        (head_y, head_x), (legs_y, legs_x) = random.integers(8, SIDE - 8, (2, 2))
        draw.ellipse((head_x - 6, head_y - 6, head_x + 6, head_y + 6), (230, 40, 40))
        draw.rectangle((legs_x - 5, legs_y - 5, legs_x + 5, legs_y + 5), (40, 60, 230))
        image.save(root / "images" / f"{index:03}.png")
        shown = not (index >= train and index % 5 == 0)
        legs = shown and index % 3 != 0
        rows.append(
            {
                "file": f"images/{index:03}.png",
                "name": LABELS[index % 2],
                "split": "train" if index < train else "test",
                "head_y": head_y if shown else "",
                "head_x": head_x if shown else "",
                "legs_y": legs_y if legs else "",
                "legs_x": legs_x if legs else "",
            }
        )
    if parts:
        with (root / "parts.csv").open("w", newline="") as handle:
            writer = csv.DictWriter(handle, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return root


def centres(root: Path) -> tuple[list[str], np.ndarray]:
    """Test files and their centres in pixels of the teacher's input, from the CSV."""
    files, found = [], []
    with (root / "parts.csv").open() as handle:
        for row in csv.DictReader(handle):
            if row["split"] != "test":
                continue
            files.append(row["file"])
            found.append(
                [
                    [
                        float(row[f"{part}_y"] or "nan") * INPUT[0] / SIDE,
                        float(row[f"{part}_x"] or "nan") * INPUT[1] / SIDE,
                    ]
                    for part in ("head", "legs")
                ]
            )
    return files, np.array(found)


def small_model(seed: int = 1) -> keras.Model:
    """Three convolutions and a classifier; the tap is 10 x 12, not square.

    The same weights on every backend; answers differ between drawn images.
    """
    layers = keras.layers
    with zero_initializers():
        model = keras.Sequential(
            [
                layers.Input(INPUT),
                layers.Rescaling(1 / 255),
                layers.Conv2D(8, 3, 2, "same", activation="relu", name="low"),
                layers.Conv2D(12, 3, 2, "same", activation="relu", name="tap"),
                layers.Conv2D(12, 3, 2, "same", activation="relu", name="high"),
                layers.GlobalAveragePooling2D(name="pool"),
                layers.Dense(len(LABELS), activation="softmax", name="answer"),
            ],
            name="small",
        )
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape = tuple(variable.shape)
        scale = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.0
        variable.assign(scale * random.normal(size=shape))
    pool = keras.Model(model.inputs, model.get_layer("pool").output)
    features = np.asarray(pool.predict(_probe(random), verbose=0))
    kernel = random.normal(size=(12, len(LABELS))) / features.std(0)[:, None].clip(1e-6)
    model.get_layer("answer").set_weights([kernel, -features.mean(0) @ kernel])
    return model


def _probe(random: np.random.Generator) -> np.ndarray:
    """Noise with a red and a blue patch, as the drawn images have."""
    images = random.integers(60, 120, (32, *INPUT)).astype("float32")
    for image in images:
        for colour in ((230, 40, 40), (40, 60, 230)):
            row, column = random.integers(0, 30), random.integers(0, 38)
            image[row : row + 10, column : column + 10] = colour
    return images


def write_teacher(path: Path) -> Path:
    """Saves the small model as `.keras`."""
    small_model().save(path)
    return path
