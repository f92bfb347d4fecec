"""Fits a CNN of the zoo to one's own categories; it is at once a teacher."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError, DivergenceError, RunError, ZooError
from keras_explainer.files import save_atomically, write_json
from keras_explainer.runs import (
    Progress,
    RunLock,
    TrainingState,
    current_versions,
)
from keras_explainer.runs.seeds import set_seeds
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.applications import build_application
from keras_explainer.teachers.fingerprint import file_sha256
from keras_explainer.teachers.graph_cut import ancestor_sets
from keras_explainer.teachers.teacher_folder import RECORD, read_teacher_folder

from .accuracy import measure
from .fit_progress import FitProgress, stage_progress
from .fit_settings import FitSettings
from .labelled_images import Classes, TrainingImages, read_classes
from .unit_variance import start_unit_variance
from .zoo_config import ZooConfig
from .zoo_teacher import teacher as zoo_teacher

logger = logging.getLogger(__name__)

MODEL, STATE = "teacher.keras", "state.npz"
MOMENTUM = 0.9
"""Of batch statistics that begin at zero."""
START_IMAGES = 32
"""Images by which random weights are scaled."""


def fit_teacher(
    name: str | ZooConfig,
    data: str | Path,
    out: str | Path,
    *,
    weights: str | Path | None = "public",
    category: str | None = None,
    negatives: str | Path | None = None,
    input_shape: tuple[int, int, int] | None = None,
    arguments: Mapping[str, Any] | None = None,
    settings: FitSettings | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Teacher:
    """Fine-tunes a CNN of the zoo on a folder of images, and keeps it as a teacher.

    The folder `out` gets `teacher.keras` and `teacher.json`, with the accuracy on the
    test images, and is what `--teacher` and `Teacher.from_folder` take. After each
    epoch the state is kept.

    Args:
        name: of the CNN, or its configuration.
        data: folder of images with class sub-folders or a part table.
        out: folder that is written.
        weights: to start from: "public", a file, or None for random ones. Batch
            statistics of weights that were given stay as they are.
        category, negatives: for a single category, see `read_classes`.
        input_shape: (H, W, 3); the configuration's by default.
        arguments: of the constructor, as `alpha`.
        settings: how it is fitted.
        resume: go on with an interrupted fit, begin one, or leave a complete one.
        overwrite: replace a teacher that is there.
        progress: called with stage, things done, things in all, figures.

    Returns:
        The teacher, from its folder.

    Raises:
        ZooError, TeacherError: no such CNN, weights that cannot be used.
        DataError: no classes, classes without images.
        RunError: a folder that holds another fit, is in use or cannot be written.
        DivergenceError: the loss became NaN or infinite.
    """
    config = ZooConfig.named(name) if isinstance(name, str) else name
    settings = settings or FitSettings()
    folder = Path(out)
    if resume and overwrite:
        raise ConfigError("A fit is either resumed or overwritten: give one of them.")
    if (folder / RECORD).exists() and not (resume or overwrite):
        raise RunError(
            f"{folder} holds a teacher already: choose another folder, or replace it "
            "(--overwrite)."
        )
    shape = tuple(input_shape or config.input_shape)
    asked = {
        "network": config.name,
        "arguments": dict(arguments or {}),
        "weights": None if weights is None else Path(weights).name,
        "input_shape": list(shape),
        "category": category,
        "negatives": negatives is not None,
        **asdict(settings),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error}.") from error
    with RunLock(folder / ".lock"):
        if overwrite:
            for file in (RECORD, MODEL, STATE):
                (folder / file).unlink(missing_ok=True)
        if (folder / RECORD).exists():
            _check_same(
                folder, asked, read_teacher_folder(folder)[1].get("asked") or {}
            )
            return Teacher.from_folder(folder)
        classes = read_classes(
            Path(data),
            image_size=(shape[0], shape[1]),
            category=category,
            negatives=None if negatives is None else Path(negatives),
            test_share=settings.test_share,
            split_seed=settings.split_seed,
            progress=stage_progress(progress, "Reading images"),
        )
        set_seeds(settings.seed)
        start = _start(config, weights, shape, dict(arguments or {}), classes)
        fit = _Fit(config, settings, start, classes, asked, folder, progress)
        rows = fit.learn(resume)
        fit.keep(rows)
        return Teacher.from_folder(folder)


@dataclass(frozen=True)
class _Start:
    """A network for the classes, and which of its layers came without weights."""

    teacher: Teacher
    pretrained: bool
    fresh: tuple[str, ...]
    build: Callable[[], keras.Model]


def _start(
    config: ZooConfig,
    weights: str | Path | None,
    shape: tuple[int, ...],
    arguments: dict[str, Any],
    classes: Classes,
) -> _Start:
    """The network with as many answers as classes, all else from the weights."""
    given = {**config.arguments, **arguments}
    if "classes" in given:
        raise ConfigError("classes follows from the images: leave it out.")
    given["classes"] = len(classes.names)
    build = partial(build_application, config.constructor, shape, given)
    model = build()
    fresh: list[str] = []
    if weights is not None:
        source = zoo_teacher(config, weights=weights, input_shape=shape, **arguments)
        for mine, theirs in zip(model.layers, source.model.layers, strict=True):
            values = theirs.get_weights()
            if [v.shape for v in values] == [tuple(w.shape) for w in mine.weights]:
                mine.set_weights(values)
            elif mine.weights:
                fresh.append(mine.name)
        if len(fresh) > 1:
            raise ZooError(
                f"{config.name}: more than the last layer depends on the number of "
                f"classes ({', '.join(fresh)})."
            )
        del source
    teacher = Teacher(
        model,
        config.tap.choice(),
        config.targets,
        preprocessing=config.preprocessing,
        labels=classes.names,
    )
    if weights is None:
        rows = np.linspace(0, len(classes.train) - 1, START_IMAGES).astype(int)
        start_unit_variance(teacher, classes.train.images(np.unique(rows)))
    return _Start(teacher, weights is not None, tuple(fresh), build)


class _Fit:
    """One fit: what is learned, kept after each epoch, and measured at the end."""

    def __init__(
        self,
        config: ZooConfig,
        settings: FitSettings,
        start: _Start,
        classes: Classes,
        asked: dict[str, Any],
        folder: Path,
        progress: Progress | None,
    ) -> None:
        self.config, self.settings, self.start = config, settings, start
        self.classes, self.asked, self.folder = classes, asked, folder
        self.progress = progress
        self.model = start.teacher.model
        self._freeze()
        steps = -(-len(classes.train) // settings.batch_size) * settings.epochs
        warm = max(1, steps // 20)
        rate = keras.optimizers.schedules.CosineDecay(
            0.1 * settings.learning_rate,
            max(1, steps - warm),
            warmup_target=settings.learning_rate,
            warmup_steps=warm,
        )
        self.model.compile(
            optimizer=keras.optimizers.AdamW(
                rate, weight_decay=settings.weight_decay, clipnorm=1.0
            ),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )

    def _freeze(self) -> None:
        """Leaves trainable what the settings name; given batch statistics stay."""
        graph, train = self.start.teacher.graph, self.settings.train
        frozen: set[int] = set()
        if train == "top":
            tap = graph.resolve(self.start.teacher.tap)
            below = ancestor_sets(graph)[tap] | 1 << tap
            frozen = {
                id(step.operation)
                for step in graph.steps
                if any(below >> value & 1 for value in step.outputs)
            }
        for layer in self.model._flatten_layers(include_self=False):
            if layer is self.model or getattr(layer, "_layers", None):
                continue
            norm = isinstance(layer, keras.layers.BatchNormalization)
            if norm and not self.start.pretrained:
                # At Keras' 0.99 a fit of few steps ends with statistics of its start.
                layer.momentum = min(layer.momentum, MOMENTUM)
            layer.trainable = not (
                id(layer) in frozen
                or (train == "head" and not self._is_head(layer))
                or (norm and self.start.pretrained)
            )
        if not self.model.trainable_weights:
            raise ConfigError(f"train={train!r} leaves nothing to learn.")

    def _is_head(self, layer: keras.Layer) -> bool:
        if self.start.fresh:
            return layer.name in self.start.fresh
        return layer is [x for x in self.model.layers if x.weights][-1]

    def learn(self, resume: bool) -> list[dict[str, Any]]:
        """Learns the epochs that are missing; the log of all."""
        rows: list[dict[str, Any]] = []
        # TensorFlow traces twice a step that makes variables.
        self.model.optimizer.build(self.model.trainable_variables)
        state = self.folder / STATE
        if resume and state.exists():
            kept = TrainingState.read(
                state, {"asked": dict, "content_hash": str, "rows": list}
            )
            _check_same(self.folder, self.asked, kept.facts["asked"])
            if kept.facts["content_hash"] != self.classes.content_hash:
                raise RunError(
                    f"The images have changed since the fit {self.folder} was begun: "
                    "put them back, or begin anew (--overwrite)."
                )
            kept.apply(self.model)
            rows = list(kept.facts["rows"])
        settings = self.settings
        for epoch in range(len(rows), settings.epochs):
            images = TrainingImages(
                self.classes.train,
                self.start.teacher.preprocessing,
                settings.batch_size,
                settings.seed,
                epoch,
            )
            told = FitProgress(self.progress, epoch, settings.epochs)
            history = self.model.fit(
                images,
                epochs=epoch + 1,
                initial_epoch=epoch,
                verbose=0,
                shuffle=False,
                callbacks=[told],
            )
            row = {key: float(value[-1]) for key, value in history.history.items()}
            if not np.isfinite(row["loss"]):
                raise DivergenceError(
                    f"The loss became {row['loss']} in epoch {epoch + 1}. Fit again "
                    "with a smaller learning rate (--learning-rate)."
                )
            rows.append({"epoch": epoch + 1, **row})
            try:
                TrainingState.of(
                    self.model,
                    self._facts(rows),
                ).write(state)
            except OSError as error:
                raise RunError(f"{state} cannot be written: {error}.") from error
            logger.info("Epoch %d: %s", epoch + 1, row)
        return rows

    def _facts(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "asked": self.asked,
            "content_hash": self.classes.content_hash,
            "rows": rows,
        }

    def keep(self, rows: list[dict[str, Any]]) -> None:
        """Measures on the test images; writes the model, then its record."""
        teacher, classes = self.start.teacher, self.classes
        figures = measure(
            self.model,
            classes.test,
            classes.names,
            teacher.preprocessing,
            self.settings.batch_size,
            stage_progress(self.progress, "Measuring"),
        )
        # A fresh one: without optimiser, frozen flags and how it was compiled.
        model = self.start.build()
        model.set_weights(self.model.get_weights())
        path = self.folder / MODEL
        try:
            save_atomically(path, model.save)
            record = {
                "name": self.folder.name,
                "version": "1",
                "file": path.name,
                "sha256": file_sha256(path),
                "bytes": path.stat().st_size,
                "network": self.config.name,
                "params": self.model.count_params(),
                "input_shape": list(teacher.input_shape),
                "preprocessing": teacher.preprocessing.mode,
                "labels": list(classes.names),
                "tap": teacher.tap,
                "tap_shape": list(teacher.tap_shape),
                "targets": list(teacher.targets),
                "licence": self._licence(),
                "data": {
                    "train_images": len(classes.train),
                    "test_images": len(classes.test),
                    "content_hash": classes.content_hash,
                },
                "figures": figures,
                "history": rows,
                "training": {
                    "command": "keras-explainer teacher fit",
                    **self.asked,
                    **current_versions(),
                },
                "asked": self.asked,
            }
            write_json(self.folder / RECORD, record)
            (self.folder / STATE).unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{self.folder} cannot be written: {error}.") from error

    def _licence(self) -> str:
        started, images = self.asked["weights"], "that of the images learned from"
        if started is None:
            return images
        if started == "public":
            started = f"the public weights, {self.config.weights[0].licence}"
        return f"that of the weights begun with ({started}), and {images}"


def _check_same(
    folder: Path, asked: Mapping[str, Any], kept: Mapping[str, Any]
) -> None:
    """Refuses to go on with another fit than the one in the folder."""
    differ = [
        f"{key} {asked.get(key)!r}, not {kept.get(key)!r}"
        for key in sorted({*asked, *kept})
        if asked.get(key) != kept.get(key)
    ]
    if differ:
        raise RunError(
            f"The fit {folder} was begun with other settings: {'; '.join(differ)}. "
            "Leave them as they were to go on with it, or begin anew (--overwrite)."
        )
