"""Teachers, explainers and images to be timed: shapes of real CNNs, random weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import keras_explainer as kx
from benchmarks.speed.flops import work_of

NETWORKS = ("MobileNet", "ResNet50", "VGG16")
# Of each trained number: weight, two moments, gradient read; the first three written.
ADAM_BYTES = 7 * 4


def teacher(name: str) -> kx.Teacher:
    """A network of the zoo at its own tap, random weights of seed 0."""
    keras.utils.set_random_seed(0)
    if name == "MobileNet":
        return kx.Teacher.from_applications(
            name, alpha=0.75, weights=None, tap="conv_pw_11_relu"
        )
    return kx.zoo.teacher(name, weights=None)


def synthetic_teacher(side: int, channels: int) -> kx.Teacher:
    """One convolution to a tap of `side` x `side` x `channels`, and a small head."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((2 * side, 2 * side, 3))
    tap = layers.Conv2D(channels, 3, 2, padding="same", activation="relu", name="tap")(
        image
    )
    top = layers.Conv2D(64, 3, 2, padding="same", activation="relu", name="top")(tap)
    answer = layers.Dense(10, name="answer")(layers.GlobalAveragePooling2D()(top))
    model = keras.Model(image, answer)
    return kx.Teacher(model, tap="tap", targets=["top"], preprocessing="identity")


def explainer(
    owner: kx.Teacher,
    filters: int | None = None,
    recipe: str = "single",
    **settings: Any,
) -> kx.Explainer:
    """An explainer, compiled as users compile it."""
    made = kx.Explainer(owner, filters=filters, recipe=recipe, **settings)
    made.compile()
    return made


def images(count: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth random images `(count, H, W, 3)` uint8."""
    height, width = shape[:2]
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (count, height // 8 + 1, width // 8 + 1, 3))
    large = small.repeat(8, 1).repeat(8, 2)[:, :height, :width]
    return large.astype("uint8")


def batch(made: kx.Explainer, size: int, seed: int = 0) -> tuple[Any, Any]:
    """A learning batch of random features."""
    random = np.random.default_rng(seed)
    lead = (size, made.recipe.views_per_step)

    def features(shape: tuple[int, ...]) -> np.ndarray:
        return np.maximum(random.normal(size=(*lead, *shape)), 0).astype("float32")

    boxes = made.views.boxes(0, size)[:, : lead[1]]
    x = {"features": features(made.tap_shape), "boxes": boxes}
    return x, {name: features(s) for name, s in made.target_shapes.items()}


def step_work(made: kx.Explainer, data: tuple[Any, Any]) -> dict[str, float]:
    """The work of a learning step (of one that has been made)."""
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, data)
    work = work_of(lambda x, y: made.train_step((x, y)), *tensors)
    count = sum(float(np.prod(v.shape)) for v in made.trainable_variables)
    work["bytes"] += ADAM_BYTES * count
    return work


def teacher_work(owner: kx.Teacher, count: int) -> dict[str, float]:
    """The work of the features of `count` images, at tap and targets."""
    pixels = keras.ops.zeros((count, *owner.input_shape))
    return work_of(lambda x: owner.upper(owner.lower(x)), pixels)
