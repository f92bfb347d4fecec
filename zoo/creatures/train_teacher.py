"""Trains the `creatures` teacher: which species does a drawn image show?

    python zoo/creatures/train_teacher.py [--out DIR] [--images 120000] [--seed 0]

Writes `teacher.keras` and `teacher.json` (sha256, accuracy on images that were not
learned from, and controls). All images are drawn anew: none is learned from twice.
After each chunk of images the state is kept in `training.keras`; a run that was stopped
goes on from there. The default settings took 15 minutes on a core.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras_explainer.zoo.creatures.readable import save_readable

from keras_explainer.datasets.creatures import Creatures
from keras_explainer.files import save_atomically, write_json
from keras_explainer.runs import current_versions
from keras_explainer.teachers.fingerprint import file_sha256

logger = logging.getLogger(__name__)

IMAGE_SIZE = 96
TAP = "relu_4"
TARGET = "relu_8"
# (filters, kernel, stride) of each block; the tap's map is 12 x 12.
BLOCKS = (
    (16, 5, 2),
    (32, 3, 2),
    (48, 3, 1),
    (64, 3, 2),
    (96, 3, 1),
    (96, 3, 1),
    (128, 3, 2),
    (128, 3, 1),
)
RATE = 1.5e-3
BATCH = 16
CHUNK = 2000
"""Images drawn at a time."""
EASY_SHARE = 0.15
EASY: dict[str, Any] = {
    "clutter": 2,
    "distractors": 0,
    "occluders": 0,
    "absent_share": 0.0,
}
"""How the first share of the images is drawn: shapes are learned sooner from these."""
TEST_SEED = 1
TEST_IMAGES = 2000


def build_teacher(classes: int) -> keras.Model:
    """Eight blocks of convolution, normalisation and ReLU; images 0..1 in."""
    layers = keras.layers
    inputs = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), name="images")
    x = inputs
    for number, (filters, kernel, stride) in enumerate(BLOCKS, 1):
        x = layers.Conv2D(
            filters,
            kernel,
            stride,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"conv_{number}",
        )(x)
        x = layers.BatchNormalization(momentum=0.95, name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(classes, activation="softmax", name="species")(x)
    return keras.Model(inputs, x, name="creatures_teacher")


def compiled(model: keras.Model, images: int) -> keras.Model:
    """The model with an optimiser whose rate rises, and falls over so many images."""
    steps = images // BATCH
    rate = keras.optimizers.schedules.CosineDecay(
        0.1 * RATE, steps - steps // 20, warmup_target=RATE, warmup_steps=steps // 20
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3, clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=5,
    )
    return model


def train(images: int, seed: int, state: Path) -> keras.Model:
    """A teacher that has learned from `images` drawn images, each seen once.

    Args:
        images: number of images; a whole number of chunks.
        seed: of the first weights and of the images.
        state: file of the unfinished model, removed at the end.
    """
    keras.utils.set_random_seed(seed)
    classes = len(Creatures.SPECIES)
    if state.exists():
        model = keras.saving.load_model(state)
    else:
        model = compiled(build_teacher(classes), images)
    begin = int(model.optimizer.iterations) * BATCH
    for start in range(begin, images, CHUNK):
        settings: dict[str, Any] = EASY if start < EASY_SHARE * images else {}
        drawn = Creatures(IMAGE_SIZE, seed=seed, **settings).generate(CHUNK, start)
        history = model.fit(
            drawn.images.astype("float32") / 255,
            drawn.labels,
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        )
        save_atomically(state, model.save)
        right = history.history["accuracy"][0]
        logger.info("%6d images, accuracy on the last: %.3f", start + CHUNK, right)
    # Without the optimiser's state, and with no trace of how it was compiled.
    teacher = build_teacher(classes)
    teacher.set_weights(model.get_weights())
    state.unlink()
    return teacher


def answers(model: keras.Model, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Answers (n,) and labels (n,) on test images, drawn with these changes."""
    drawn = Creatures(IMAGE_SIZE, seed=TEST_SEED, **changes).generate(TEST_IMAGES)
    scores = model.predict(drawn.images.astype("float32") / 255, verbose=0)
    return scores.argmax(-1), drawn.labels


def measure(model: keras.Model) -> dict[str, Any]:
    """Accuracy on images of another seed, whole and with one thing changed."""
    answer, labels = answers(model)
    names = Creatures.SPECIES
    other, _ = answers(model, background_seed=TEST_SEED + 1000)
    coat, _ = answers(model, coat_seed=TEST_SEED + 1000)
    figures: dict[str, Any] = {
        "accuracy": _share(answer == labels),
        "by_species": {
            name: _share(answer[labels == label] == label)
            for label, name in enumerate(names)
        },
        "other_backgrounds": _share(other == labels),
        "other_backgrounds_same_answer": _share(other == answer),
        "other_coats": _share(coat == labels),
        "other_coats_same_answer": _share(coat == answer),
    }
    for setting in ("occluders", "distractors", "clutter", "absent_share"):
        right = np.equal(*answers(model, **{setting: 0}))
        figures[f"no_{setting.removesuffix('_share')}"] = _share(right)
    figures["without"] = {
        part: _share(np.equal(*answers(model, without=[part])))
        for part in Creatures.PARTS
    }
    return figures


def _share(right: np.ndarray) -> float:
    return round(float(right.mean()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--images", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    if options.images < CHUNK or options.images % CHUNK:
        parser.error(f"--images is a multiple of {CHUNK}")
    model = train(options.images, options.seed, options.out / "training.keras")
    path = options.out / "teacher.keras"
    save_readable(model, path)
    figures = measure(model)
    record = {
        "name": "creatures",
        "version": "1",
        "file": path.name,
        "sha256": file_sha256(path),
        "bytes": path.stat().st_size,
        "params": model.count_params(),
        "input_shape": list(model.input_shape[1:]),
        "preprocessing": "unit",
        "labels": list(Creatures.SPECIES),
        "tap": TAP,
        "tap_shape": list(model.get_layer(TAP).output.shape[1:]),
        "targets": [TARGET],
        "licence": "Apache-2.0",
        "data": {
            "train": f"Creatures({IMAGE_SIZE}, seed={options.seed})",
            "train_images": options.images,
            "test": f"Creatures({IMAGE_SIZE}, seed={TEST_SEED})",
            "test_images": TEST_IMAGES,
        },
        "figures": figures,
        "training": {
            "command": "python zoo/creatures/train_teacher.py "
            f"--images {options.images} --seed {options.seed}",
            "seed": options.seed,
            **current_versions(),
        },
    }
    write_json(options.out / "teacher.json", record)
    logger.info("%s: accuracy %.4f", path, figures["accuracy"])


if __name__ == "__main__":
    main()
