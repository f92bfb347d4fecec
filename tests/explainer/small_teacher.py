"""A small teacher with a tap that is not square, and images that differ in parts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from compilation import zero_initializers
from keras import layers

from keras_explainer.teachers import Teacher

IMAGE_SHAPE = (24, 32, 3)
TAP_SHAPE = (6, 8, 12)


def make_model(
    seed: int = 0, answer: str | None = "softmax", hidden: tuple[int, ...] = ()
) -> keras.Model:
    """Convs with ReLU to 6 × 8 (`tap`) and 3 × 4 (`top`), then the answer.

    Args:
        seed: of the weights, which are the same on every backend.
        answer: activation of the last layer; None ends at `top`.
        hidden: sizes of fully connected layers `fc1`, … before the answer.
    """
    with zero_initializers():
        model = _network(answer, hidden)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        shape = tuple(weight.shape)
        spread = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.1
        weight.assign((random.normal(size=shape) * spread).astype("float32"))
    return model


def _network(answer: str | None, hidden: tuple[int, ...]) -> keras.Model:
    x = image = keras.Input(IMAGE_SHAPE)
    x = layers.Conv2D(8, 3, 2, padding="same", activation="relu", name="stem")(x)
    x = layers.Conv2D(12, 3, 2, padding="same", activation="relu", name="tap")(x)
    x = layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="top")(x)
    if hidden:
        x = layers.Flatten(name="flatten")(x)
        for number, units in enumerate(hidden, 1):
            x = layers.Dense(units, activation="relu", name=f"fc{number}")(x)
    elif answer is not None:
        x = layers.GlobalAveragePooling2D(name="gap")(x)
    if answer is not None:
        x = layers.Dense(5, activation=answer, name="answer")(x)
    return keras.Model(image, x, name="small")


def make_teacher(
    seed: int = 0,
    answer: str | None = "softmax",
    hidden: tuple[int, ...] = (),
    tap: str = "tap",
    targets: Any = ("top",),
    **options: Any,
) -> Teacher:
    """A teacher of `make_model`."""
    return Teacher(
        make_model(seed, answer, hidden),
        tap=tap,
        targets=list(targets),
        preprocessing=options.pop("preprocessing", "unit"),
        **options,
    )


def make_images(count: int, seed: int = 0) -> np.ndarray:
    """uint8 images: a smooth ground and two blobs, each of its own colour."""
    random = np.random.default_rng(seed)
    height, width, _ = IMAGE_SHAPE
    rows, columns = np.mgrid[:height, :width]
    out = np.empty((count, *IMAGE_SHAPE))
    for n in range(count):
        ground = random.uniform(20, 120, 3) + random.normal(0, 4, IMAGE_SHAPE)
        for colour in ([200, 30, -40], [-30, 40, 220]):
            y, x = random.uniform(4, height - 4), random.uniform(4, width - 4)
            blob = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 12)
            ground = ground + blob[..., None] * np.array(colour)
        out[n] = ground
    return np.clip(out, 0, 255).astype("uint8")


class CountedTeacher:
    """Counts the images that a teacher's `extract` is given.

    Args:
        teacher: whose method is wrapped until the block ends.
    """

    def __init__(self, teacher: Teacher) -> None:
        self.teacher = teacher
        self.images = 0

    def __enter__(self) -> CountedTeacher:
        extract = self.teacher.extract

        def counted(images: Any, **options: Any) -> Any:
            self.images += len(images)
            return extract(images, **options)

        self.teacher.extract = counted
        return self

    def __exit__(self, *_: Any) -> None:
        del self.teacher.extract
