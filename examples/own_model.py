"""Explain a Keras model of your own, from training it to a picture of its parts.

    python examples/own_model.py [--out explained] [--images 300] [--epochs 10]

Draws images of two kinds of figures, which differ by the head that they bear, trains a
small CNN to tell them apart, and learns without any label which parts it looks at.
Downloads nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
from PIL import Image, ImageDraw

import keras_explainer as kx
from keras_explainer.explanation import explanation_picture

SIZE = 64


def figure(kind: int, random: np.random.Generator) -> np.ndarray:
    """A body with a round (0) or a square (1) head on it, anywhere in the image."""
    image = Image.fromarray(random.integers(70, 110, (SIZE, SIZE, 3)).astype("uint8"))
    draw = ImageDraw.Draw(image)
    x, y, scale = *random.integers(16, 40, 2), random.uniform(0.8, 1.3)
    body = [x, y, x + 16 * scale, y + 20 * scale]
    draw.rectangle(body, fill=(70, 90, 160))
    head = [x + 2 * scale, y - 12 * scale, x + 14 * scale, y]
    colour = ((210, 150, 80), (190, 170, 60))[kind]
    (draw.ellipse if kind == 0 else draw.rectangle)(head, fill=colour)
    return np.asarray(image)


def classifier() -> keras.Model:
    """Any functional or Sequential Keras model will do."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, 2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="middle"),
            layers.Conv2D(48, 3, 2, padding="same", activation="relu", name="high"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, activation="softmax"),
        ]
    )


def main() -> None:
    """Trains, explains, draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("explained"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    kinds = random.integers(0, 2, arguments.images)
    images = np.stack([figure(kind, random) for kind in kinds])

    model = classifier()
    model.compile(
        keras.optimizers.Adam(3e-3),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(images, kinds, epochs=3 * arguments.epochs, verbose=0)
    accuracy = model.evaluate(images, kinds, verbose=0)[1]
    print(f"The model is right on {accuracy:.0%} of the images it learned from.")

    teacher = kx.Teacher(
        model, tap="middle", targets=["high"], labels=["round", "square"]
    )
    explainer = kx.Explainer(teacher, filters=16, recipe="single")
    explainer.compile(optimizer="adam")
    explainer.fit(images, epochs=arguments.epochs, validation_split=0.2, verbose=0)
    figures = explainer.evaluate(images, return_dict=True, verbose=0)
    print(
        f"Share of the parts p = {figures['p']:.2f}; explained variance of the logits "
        f"{figures['explained_variance_logits']:.2f}."
    )

    arguments.out.mkdir(parents=True, exist_ok=True)
    found = explainer.explain(images[:4], k=4)
    for image, explanation in zip(images, found, strict=False):
        path = arguments.out / f"{explanation.index}.png"
        explanation_picture(image, explanation, parts=4).save(path)
        print(explanation.table())
    found.save_json(arguments.out / "explanations.json")
    print(f"Pictures and JSON: {arguments.out}")


if __name__ == "__main__":
    main()
