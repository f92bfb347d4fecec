"""The stages of a verification: each proves one thing and measures it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ZooError
from keras_explainer.explainer import Explainer
from keras_explainer.explainer import load as load_explainer
from keras_explainer.export import saved_model
from keras_explainer.export.verification import RECORD as EXPORT_RECORD
from keras_explainer.runs import resolve_recipe
from keras_explainer.runs.seeds import set_seeds
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.applications import preprocessing_mode

from .random_weights import randomize
from .zoo_config import ZooConfig
from .zoo_teacher import teacher as zoo_teacher

IMAGES = 4
BATCH = 2
"""Two images a step: `IMAGES` make two steps."""
VIEWS = 2
CUT_TOLERANCE = 1e-4
"""Of the largest value: the same float32 operations, one by one."""
COMPILED_TOLERANCE = 1e-2
"""Of features that are compiled: batch-normalised networks of random weights enlarge
rounding errors by a fifth a layer."""
RELOAD_TOLERANCE = 1e-5


@dataclass
class Subject:
    """What the stages work on, and hand to the next.

    Attributes:
        config: the CNN.
        images: `(IMAGES, H, W, 3)` uint8, random and smooth.
        folder: for files.
        input_shape, arguments: changed from the configuration's for a small check.
        figures: what was measured.
    """

    config: ZooConfig
    folder: Path
    input_shape: tuple[int, int, int]
    arguments: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    filters: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    teacher: Teacher = field(init=False)
    explainer: Explainer = field(init=False)
    images: np.ndarray = field(init=False)
    predicted: dict[str, Any] = field(init=False)


def load(subject: Subject) -> None:
    """The network is built with random weights; it is what the configuration says."""
    config = subject.config
    set_seeds(subject.seed)
    teacher = zoo_teacher(
        config, weights=None, input_shape=subject.input_shape, **subject.arguments
    )
    as_published = not subject.arguments and (subject.input_shape == config.input_shape)
    parameters = teacher.model.count_params()
    if as_published and parameters != config.parameters:
        raise ZooError(
            f"{config.name} has {parameters} parameters, its configuration says "
            f"{config.parameters}."
        )
    mode = preprocessing_mode(config.constructor)
    if mode != config.preprocessing:
        raise ZooError(
            f"{config.name}'s own preprocessing is {mode!r}, its configuration says "
            f"{config.preprocessing!r}."
        )
    subject.teacher = teacher
    subject.images = smooth_images(IMAGES, teacher.input_shape, subject.seed)
    randomize(teacher, subject.images, subject.seed)
    soften(teacher, subject.images)
    geometry = teacher.geometry
    subject.figures |= {
        "parameters": parameters,
        "input_shape": list(teacher.input_shape),
        "preprocessing": mode,
        "tap": teacher.tap,
        "tap_shape": list(teacher.tap_shape),
        "stride": list(geometry.stride),
        "receptive_field": _listed(geometry.receptive_field),
        "targets": {k: list(v) for k, v in teacher.target_shapes.items()},
        "valid_taps": len(teacher.valid_taps),
        "has_head": teacher.has_head,
    }


def soften(teacher: Teacher, images: np.ndarray) -> None:
    """Scales the last layer so that its softmax is not saturated."""
    if not teacher.has_head:
        return
    features = teacher.upper(teacher.lower(images))[teacher.targets[-1]]
    logits = teacher.head(features)["logits"]
    if logits is not None:
        spread = float(keras.ops.convert_to_numpy(keras.ops.std(logits)))
        last = [layer for layer in teacher.model.layers if layer.weights][-1]
        last.set_weights([w / max(spread, 1e-6) for w in last.get_weights()])


def cut(subject: Subject) -> None:
    """The parts, one after the other, give what Keras' own whole model gives.

    Both are computed operation by operation: compiled, a deep network of random weights
    rounds otherwise (`rounding` measures how much).
    """
    teacher, images = subject.teacher, subject.images[:2]
    upper = teacher.upper(teacher.lower(images))
    whole = _by_keras(teacher)(teacher.preprocess(images), training=False)
    found = {path: (upper[path], whole[path]) for path in teacher.targets}
    if teacher.has_head:
        answer = teacher.head(upper[teacher.targets[-1]])["outputs"]
        found["outputs"] = (answer, whole["outputs"])
    # Of two images: where all features are the same, their equality proves nothing.
    spread = min(difference(value[:1], value[1:]) for _, value in found.values())
    subject.figures["image_difference"] = spread
    if not spread > CUT_TOLERANCE:
        raise ZooError(
            f"{subject.config.name} says the same of two different images (they differ "
            f"by {spread:.2g} of the largest value): the cut cannot be proved on them."
        )
    differences = {name: difference(*pair) for name, pair in found.items()}
    subject.figures["cut_difference"] = max(differences.values())
    _, compiled = teacher.extract(images, batch_size=len(images))
    subject.figures["rounding"] = max(
        difference(value, whole[path]) for path, value in compiled.items()
    )
    accepted = dict.fromkeys(differences, CUT_TOLERANCE)
    differences["compiled features"] = subject.figures["rounding"]
    accepted["compiled features"] = COMPILED_TOLERANCE
    for name, value in differences.items():
        if not value <= accepted[name]:
            raise ZooError(
                f"{subject.config.name} cut at {teacher.tap!r} gives {name} that "
                f"differ by {value:.2g} of the largest from the whole model's; "
                f"{accepted[name]} is accepted."
            )


def _by_keras(teacher: Teacher) -> keras.Model:
    """A model of Keras, on the same layers, with the targets and the answer."""
    graph, tensors = teacher.graph, {}
    for path in teacher.targets:
        value = graph.values[graph.resolve(path, "target")]
        step = graph.steps[value.step or 0]
        tensors[path] = step.node.outputs[step.outputs.index(value.index)]
    tensors["outputs"] = teacher.model.outputs[0]
    return keras.Model(teacher.model.inputs, tensors)


def learn(subject: Subject) -> None:
    """An explainer takes two steps; the teacher stays as it was."""
    config, teacher = subject.config, subject.teacher
    recipe = resolve_recipe(
        config.training.recipe,
        {
            **config.training.settings,
            "views": VIEWS,
            "views_per_step": VIEWS,
            "steps_per_epoch": 1,
        },
    )
    before = _weights_sha256(teacher)
    explainer = Explainer(
        teacher,
        subject.filters or config.filters,
        recipe=recipe,
        decoder=config.decoder,
        seed=subject.seed,
    )
    explainer.compile()
    history = explainer.fit(subject.images, batch_size=BATCH, epochs=1, verbose=0)
    loss = float(history.history["loss"][-1])
    if not np.isfinite(loss):
        raise ZooError(f"{config.name}: the loss is {loss} after two steps.")
    if _weights_sha256(teacher) != before:
        raise ZooError(f"{config.name}: learning changed the teacher.")
    subject.explainer = explainer
    subject.figures["steps"] = int(explainer.optimizer.iterations)
    subject.figures["explainer_parameters"] = int(explainer.count_params())


def save(subject: Subject) -> None:
    """Teacher and explainer are written to files."""
    subject.predicted = subject.explainer.predict(
        subject.images, batch_size=BATCH, verbose=0
    )
    subject.teacher.model.save(subject.folder / "teacher.keras")
    path = subject.folder / "explainer.keras"
    subject.explainer.save(path)
    subject.figures["explainer_mib"] = round(path.stat().st_size / 2**20, 1)


def reload(subject: Subject) -> None:
    """Both come back from their files and say the same."""
    old, name = subject.teacher, subject.config.name
    shape = list(old.input_shape)
    targets = list(old.targets)
    tap, mode, fingerprint = old.tap, old.preprocessing.mode, old.fingerprint
    del old, subject.teacher, subject.explainer
    teacher = Teacher.from_file(
        subject.folder / "teacher.keras",
        tap,
        targets,
        preprocessing=mode,
        input_shape=shape,
    )
    if teacher.fingerprint != fingerprint:
        raise ZooError(f"{name}: the teacher from its file is another.")
    explainer = load_explainer(subject.folder / "explainer.keras", teacher=teacher)
    found = explainer.predict(subject.images, batch_size=BATCH, verbose=0)
    pairs = zip(
        keras.tree.flatten(found), keras.tree.flatten(subject.predicted), strict=True
    )
    worst = max(difference(mine, theirs) for mine, theirs in pairs)
    subject.figures["reload_difference"] = worst
    if not worst <= RELOAD_TOLERANCE:
        raise ZooError(
            f"{name}: what the explainer predicts differs by {worst:.2g} of the "
            f"largest value after it was reloaded; {RELOAD_TOLERANCE} is accepted."
        )
    subject.teacher, subject.explainer = teacher, explainer


def export(subject: Subject) -> None:
    """Both as a SavedModel say the same in a process without this package."""
    folder = saved_model(
        subject.explainer, subject.folder / "served", images=subject.images
    )
    record = json.loads((folder / EXPORT_RECORD).read_text(encoding="utf-8"))
    subject.figures["export_difference"] = record["max_difference"]
    subject.figures["export_mib"] = round(record["bytes"] / 2**20, 1)


STAGES: dict[str, Callable[[Subject], None]] = {
    "load": load,
    "cut": cut,
    "learn": learn,
    "save": save,
    "reload": reload,
    "export": export,
}
"""Run in this order; a further proof is one more stage."""


def smooth_images(count: int, shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Random images, uint8, with blobs of some tenths of the side, all different."""
    height, width, channels = shape
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 9, 9, channels)).astype("float32")
    fine = keras.ops.image.resize(coarse, (height, width), data_format="channels_last")
    noise = random.normal(0, 10, (count, height, width, 1))
    return np.clip(keras.ops.convert_to_numpy(fine) + noise, 0, 255).astype("uint8")


def difference(found: Any, expected: Any) -> float:
    """The largest difference over the largest expected value; NaN counts as one."""
    mine, theirs = (
        np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")), "float64")
        for x in (found, expected)
    )
    if mine.shape != theirs.shape or not np.isfinite(theirs).all():
        return float("nan")
    largest = float(np.abs(theirs).max()) or 1.0
    return float(np.abs(mine - theirs).max()) / largest


def _weights_sha256(teacher: Teacher) -> str:
    digest = hashlib.sha256()
    for variable in teacher.model.weights:
        digest.update(np.asarray(keras.ops.convert_to_numpy(variable)).tobytes())
    return digest.hexdigest()


def _listed(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else list(pair)
