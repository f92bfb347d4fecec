"""The explainers that are measured: each learned here, through the public API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

import keras_explainer as kx
from benchmarks.core import TAP, shared_folder
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.files import save_atomically

CATEGORIES = ("dog", "lion", "squirrel", "giant panda")
SPECIES = ("griffin", "dragon")
VGG_SIDE = 64


@dataclass(frozen=True)
class Case:
    """A learned explainer and images that it has not learned from.

    Attributes:
        explainer: with its teacher.
        images: uint8 (N, H, W, C).
        centres: float64 (N, P, 2) in pixels, NaN where a part is not shown.
        part_names: P names.
        teacher_accuracy: of the teacher on the images; None where it is not known.
        annotated: what absence means: "drawn" is the truth, "annotated" is that nobody
            marked the part.
    """

    explainer: kx.Explainer
    images: np.ndarray
    centres: np.ndarray
    part_names: tuple[str, ...]
    annotated: str
    teacher_accuracy: float | None = None

    def first(self, count: int | None) -> Case:
        """The same with the first images alone; None for all."""
        images, centres = self.images[:count], self.centres[:count]
        return replace(self, images=images, centres=centres)


def mobilenet(
    category: str, seed: int, settings: dict[str, Any], kept: Path | None = None
) -> Case:
    """MobileNet 0.75, ImageNet weights, on photographs of one category."""
    teacher = kx.Teacher.from_applications(
        "MobileNet",
        alpha=0.75,
        weights=shared_folder() / "mobilenet_075_224.weights.h5",
        tap=TAP,
    )
    folder = kx.ImageFolder(shared_folder(), image_size=(224, 224), category=category)
    explainer = learned(teacher, folder.train, 128, seed, settings, kept)
    test = folder.test
    centres = np.asarray(test.centres)
    return Case(explainer, test.load(), centres, test.part_names, "annotated")


def vgg(
    species: str, seed: int, settings: dict[str, Any], kept: Path | None = None
) -> Case:
    """A small VGG, taught all species of drawn creatures, on one of them."""
    keras.utils.set_random_seed(seed)
    model = vgg_model(kept and kept.with_name(f"small_vgg-{seed}.weights.h5"))
    teacher = kx.Teacher(model, preprocessing="unit", name="small VGG")
    drawn = Creatures(VGG_SIDE, [species], seed=seed + 1)
    pixels = drawn.generate(600).images
    explainer = learned(teacher, pixels, 32, seed, settings, kept)
    test = Creatures(VGG_SIDE, [species], seed=seed + 2, absent_share=0.4)
    test_images = test.generate(300)
    # All species, so that chance is 1 in 7.
    every = Creatures(VGG_SIDE, seed=seed + 3).generate(350)
    answers = teacher.classify(every.images)["outputs"].argmax(1)
    return Case(
        explainer,
        test_images.images,
        test_images.centres,
        test_images.part_names,
        "drawn",
        float((answers == every.labels).mean()),
    )


def shipped(
    species: str, seed: int, settings: dict[str, Any], kept: Path | None = None
) -> Case:
    """The zoo's explainer of a CNN without dense layers."""
    explainer = kx.zoo.load("creatures")
    side = explainer.teacher.input_shape[0]
    test = Creatures(side, [species], seed=seed + 99, absent_share=0.4).generate(300)
    return Case(explainer, test.images, test.centres, test.part_names, "drawn")


def vgg_model(kept: Path | None) -> keras.Model:
    """Pairs of 3 x 3 convs with max-pools between, two hidden dense layers."""
    drawn = Creatures(VGG_SIDE, seed=0).generate(2800)
    x = image = keras.Input((VGG_SIDE, VGG_SIDE, 3))
    for block, filters in enumerate((16, 32, 48, 64), 1):
        for number in (1, 2):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{number}",
            )(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(192, activation="relu", name="fc1")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    x = layers.Dense(96, activation="relu", name="fc2")(x)
    x = layers.Dense(len(Creatures.SPECIES), activation="softmax", name="species")(x)
    model = keras.Model(image, x, name="small_vgg")
    if kept is not None and kept.exists():
        model.load_weights(kept)
        return model
    model.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    pixels = drawn.images.astype("float32") / 255
    model.fit(pixels, drawn.labels, batch_size=32, epochs=12, verbose=0)
    if kept is not None:
        save_atomically(kept, model.save_weights)
    return model


def learned(
    teacher: kx.Teacher,
    images: Any,
    filters: int,
    seed: int,
    settings: dict[str, Any],
    kept: Path | None,
) -> kx.Explainer:
    """An explainer of a recipe, with `settings` changed.

    Args:
        filters: of the recipe "single"; the others have their own number.
        kept: a file of its weights, read if it is there and written if not.
    """
    keras.utils.set_random_seed(seed)
    if settings["recipe"] == "single":
        settings = {"filters": filters, **settings}
    explainer = kx.Explainer(teacher, seed=seed, **settings)
    if kept is not None and kept.exists():
        explainer.load_weights(kept)
        return explainer
    explainer.compile(optimizer="adam")
    explainer.fit(images, verbose=0)
    if kept is not None:
        save_atomically(kept, explainer.save_weights)
    return explainer
