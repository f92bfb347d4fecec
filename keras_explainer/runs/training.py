"""Learns a run: images, teacher, explainer and folder put together."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer import global_batch
from keras_explainer.datasets import ImageFolder, ImageSubset
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError, DataError, DivergenceError, RunError
from keras_explainer.explainer import Explainer
from keras_explainer.runs.checkpoint import Checkpoint, Progress
from keras_explainer.runs.early_stop import EarlyStop
from keras_explainer.runs.run_config import RunConfig
from keras_explainer.runs.run_facts import RunFacts
from keras_explainer.runs.run_files import CONFIG, SPLIT
from keras_explainer.runs.run_folder import RunFolder
from keras_explainer.runs.seeds import set_seeds
from keras_explainer.runs.training_state import RUN_FACTS, TrainingState
from keras_explainer.runs.versions import current_versions
from keras_explainer.teachers import Teacher

logger = logging.getLogger(__name__)

_WORKERS = (
    "A run has one folder, which several workers cannot write: on each of them call "
    "Explainer.fit, and save the explainer on the first one."
)


def train(
    out: str | os.PathLike[str],
    config: RunConfig,
    *,
    teacher: Teacher | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> RunFolder:
    """Learns an explainer from the train images of a folder, into a run folder.

    No label, annotation or test image is used. After each epoch the state is kept, so
    that an interrupted run goes on (`resume`); on a CPU it ends with the weights of a
    run that was not interrupted.

    Args:
        out: the run folder.
        config: what to learn. Its `teacher` may be None if `teacher` is given.
        teacher: the teacher, if it is at hand already, or cannot be made from a source.
        overwrite: replace a run that is there.
        resume: go on with a run that is there and has the same configuration; begin it
            where there is none. A complete one is left as it is.
        progress: called with stage, things done, things in all, figures to show.
        callbacks: further Keras callbacks. Their state is not kept.

    Returns:
        The complete run.

    Raises:
        RunError: a folder that is in use, foreign, holds another run, or cannot be
            written.
        ConfigError: a configuration that cannot be used; several workers.
        DataError, TeacherError, CacheError: images, a teacher, a cache likewise.
        DivergenceError: the loss became NaN or infinite. The run keeps the weights of
            the last good epoch, and says so.
    """
    global_batch.refuse_workers(_WORKERS)
    folder = Path(out)
    if teacher is not None:
        config = replace(config, teacher=teacher.source)
    if resume and overwrite:
        raise ConfigError("A run is either resumed or overwritten: give one of them.")
    if resume and (folder / CONFIG).exists():
        return _resume(folder, config, teacher, progress=progress, callbacks=callbacks)
    RunFolder.check_new(folder, overwrite)
    job = _Job(config, teacher, progress)
    ready = replace(job.config, status="learning")
    with RunFolder.create(folder, ready, overwrite=overwrite) as run:
        run.write_split(job.images.split_record())
        return job.learn(run, callbacks)


def resume(
    out: str | os.PathLike[str],
    *,
    teacher: Teacher | None = None,
    weights: str | os.PathLike[str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> RunFolder:
    """Goes on with an interrupted run, by its own configuration.

    Args:
        out: the run folder.
        teacher: as for `train`.
        weights, directory: where the teacher's file and the images are now, if they
            have been moved.
        cache_dir: another folder for the features; None for the run's own.
        progress, callbacks: as for `train`.

    Raises:
        RunError: no run, one that diverged, other images or another teacher than it
            began with; else as for `train`.
    """
    return _resume(
        Path(out),
        None,
        teacher,
        weights=weights,
        directory=directory,
        cache_dir=cache_dir,
        progress=progress,
        callbacks=callbacks,
    )


def _resume(
    folder: Path,
    asked: RunConfig | None,
    teacher: Teacher | None,
    *,
    weights: str | os.PathLike[str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> RunFolder:
    global_batch.refuse_workers(_WORKERS)
    with RunFolder.reopen(folder) as run:
        if asked is not None and (found := asked.differences(run.config)):
            raise RunError(
                f"The run {folder} was begun with other settings: {'; '.join(found)}. "
                "Leave them as they were to go on with it, or overwrite it."
            )
        if run.config.status == "complete":
            logger.info("The run %s is complete; nothing is left to learn.", folder)
            return RunFolder.open(folder)
        if run.config.status == "diverged":
            raise RunError(
                f"The run {folder} cannot go on: {run.config.message} Learn it again "
                "(--overwrite), for instance with a smaller learning rate (--set "
                "learning_rate=...)."
            )
        if teacher is None and (asked is None or asked.teacher is None):
            teacher = run.load_teacher(weights)
        config = asked or run.config
        if directory is not None:
            config = replace(
                config, data=replace(config.data, directory=str(directory))
            )
        if cache_dir is not None:
            learning = replace(config.learning, cache_dir=str(cache_dir))
            config = replace(config, learning=learning)
        split = run.split if (folder / SPLIT).exists() else None
        job = _Job(config, teacher, progress, split)
        _check_same(run, job.config)
        run.write_config(replace(job.config, status="learning"))
        run.write_split(job.images.split_record())
        return job.learn(run, callbacks)


def _check_same(run: RunFolder, now: RunConfig) -> None:
    """Refuses to go on with another teacher or other images; other software warns."""
    before = run.config.facts
    if before is not None and now.facts is not None:
        changed = {
            "the teacher's weights or layers": (
                before.fingerprint != now.facts.fingerprint
            ),
            "the train images": before.content_hash != now.facts.content_hash,
        }
        for what, differs in changed.items():
            if differs:
                raise RunError(
                    f"{what.capitalize()} have changed since the run {run.path} was "
                    "begun: it cannot go on. Put them back, or learn it again "
                    "(--overwrite)."
                )
    other = {
        name: (version, now.versions.get(name))
        for name, version in run.config.versions.items()
        if version != now.versions.get(name)
    }
    if other:
        logger.warning(
            "The run %s was begun with other software, so it may end with other "
            "weights than without the interruption: %s.",
            run.path,
            ", ".join(f"{name} {a}, now {b}" for name, (a, b) in other.items()),
        )


class _Job:
    """What is checked before a run folder is touched, and then learned.

    Args:
        config: what was asked for.
        teacher: or None to make it from the configuration.
        progress: see `train`.
        split: of the run that goes on.
    """

    def __init__(
        self,
        config: RunConfig,
        teacher: Teacher | None,
        progress: Progress | None,
        split: dict[str, Any] | None = None,
    ) -> None:
        self.progress = progress
        self.teacher = _teacher(config, teacher)
        # Before anything is made: start weights of layers without a seed of their own.
        set_seeds(config.explainer.seed)
        height, width, channels = self.teacher.input_shape
        data = config.data
        self.images = ImageFolder(
            data.directory,
            image_size=(height, width),
            channels=channels,
            category=data.category,
            parts_csv=data.parts_csv,
            test_share=data.test_share,
            seed=data.split_seed,
            on_bad=data.on_bad,
            split=split,
        )
        train_images = self.images.train
        train_images.check(self._stage("Reading images"))
        self.learned, self.held_out = _validation(train_images, config)
        self.explainer = Explainer(
            self.teacher,
            config.explainer.filters,
            recipe=config.explainer.recipe,
            decoder=config.explainer.decoder,
            seed=config.explainer.seed,
        )
        self.explainer.compile(optimizer="adam")
        self.early_stop: EarlyStop | None = None
        if config.learning.patience is not None:
            monitor = config.learning.monitored
            EarlyStop.check(monitor, [m.name for m in self.explainer.metrics])
            self.early_stop = EarlyStop(monitor, config.learning.patience)
        self.config = replace(
            config,
            teacher=self.teacher.source,
            data=replace(data, directory=str(Path(data.directory).resolve())),
            versions=current_versions(),
            message=None,
            facts=RunFacts(
                teacher=self.teacher.name,
                fingerprint=self.teacher.fingerprint,
                image_size=(height, width),
                content_hash=train_images.content_hash,
                train_images=len(self.learned),
                validation_images=len(self.held_out or ()),
                bad=tuple(
                    b.to_dict() for b in (*self.images.refused, *train_images.bad)
                ),
            ),
        )

    def learn(
        self, run: RunFolder, callbacks: Sequence[keras.callbacks.Callback]
    ) -> RunFolder:
        """Learns into a locked run folder, from its backup if it has one."""
        done, rows = self._restore(run)
        features = self._features(self.learned, "Teacher's features")
        held_out = None
        if self.held_out is not None:
            held_out = self._features(self.held_out, "Features to validate on")
        stop = [] if self.early_stop is None else [self.early_stop]
        checkpoint = Checkpoint(run, rows, self.early_stop, self.progress)
        try:
            self.explainer.fit(
                features,
                batch_size=self.config.batch_size,
                epochs=self.config.epochs,
                initial_epoch=done,
                validation_data=held_out,
                callbacks=[*stop, checkpoint, *callbacks],
                verbose=0,
            )
        except DivergenceError as error:
            run.save_explainer(self.explainer)
            message = str(error)
            run.write_config(replace(run.config, status="diverged", message=message))
            run.remove_backup()
            raise DivergenceError(f"{message} The run {run.path} has them.") from error
        run.save_explainer(self.explainer)
        run.write_config(replace(run.config, status="complete"))
        run.remove_backup()
        return run

    def _restore(self, run: RunFolder) -> tuple[int, list[dict[str, Any]]]:
        """Epochs done and their log, after the explainer was given their state."""
        if not run.backup.exists():
            return 0, []
        state = TrainingState.read(run.backup, RUN_FACTS)
        state.apply(self.explainer)
        done, rows = state.facts["epoch"], list(state.facts["rows"])
        if self.early_stop is not None:
            self.early_stop.restore(state.facts["early_stop"], state.best)
            if self.early_stop.stopped:
                done = self.config.epochs
        logger.info("The run %s goes on after epoch %d.", run.path, len(rows))
        return done, rows

    def _features(self, images: ImageSubset, stage: str) -> FeatureCache:
        return FeatureCache.build(
            self.teacher,
            images,
            self.explainer.views,
            directory=self.config.learning.cache_dir,
            dtype=self.config.learning.cache_dtype,
            batch_size=self.config.batch_size,
            progress=self._stage(stage),
        )

    def _stage(self, stage: str) -> Callable[[int, int], None] | None:
        if self.progress is None:
            return None
        return partial(_report, self.progress, stage)


def _report(progress: Progress, stage: str, done: int, total: int) -> None:
    progress(stage, done, total, {})


def _teacher(config: RunConfig, teacher: Teacher | None) -> Teacher:
    source = config.teacher
    if teacher is None and source is None:
        raise ConfigError(
            "A run needs a teacher: give teacher=Teacher(...), or its source in "
            "config.teacher."
        )
    if teacher is None:
        teacher = Teacher.from_source(source or {})
    source = teacher.source
    if source and source["kind"] == "applications" and source["weights"] is None:
        raise ConfigError(
            f"The teacher {teacher.name} has random weights, which explain nothing and "
            "cannot be had again. Give the path of its weights, or 'imagenet'."
        )
    return teacher


def _validation(
    images: ImageSubset, config: RunConfig
) -> tuple[ImageSubset, ImageSubset | None]:
    """The images that are learned from, and a seeded share that is only measured."""
    share, count = config.learning.validation_share, len(images)
    if not share:
        return images, None
    held = max(1, round(share * count))
    if count - held < 2:
        raise DataError(
            f"Of {count} train images, {held} would be held out for validation: at "
            "least two must be left to learn from. Lower validation_share, or add "
            "images."
        )
    order = np.random.default_rng(config.explainer.seed).permutation(count)
    return images.subset(np.sort(order[held:])), images.subset(np.sort(order[:held]))
