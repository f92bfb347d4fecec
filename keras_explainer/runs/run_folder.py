"""A run's folder: everything that learning leaves, written atomically."""

from __future__ import annotations

import csv
import io
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from keras_explainer import files
from keras_explainer.datasets import ImageFolder
from keras_explainer.errors import DataError, RunError, TeacherError, one_line
from keras_explainer.explainer import Explainer, load
from keras_explainer.file_lock import is_locked, owner
from keras_explainer.results import PartNames
from keras_explainer.runs.run_config import RunConfig
from keras_explainer.runs.run_files import (
    CONFIG,
    SPLIT,
    foreign,
    is_run,
    read_run_config,
    read_run_json,
    writing,
)
from keras_explainer.runs.run_lock import RunLock
from keras_explainer.teachers import Teacher

logger = logging.getLogger(__name__)

MODEL, METRICS, HISTORY = "explainer.keras", "metrics.json", "history.json"
LOG, BACKUP, LOCK = "log.csv", "backup", "lock"
PART_NAMES = "part_names.json"
_MADE = (MODEL, SPLIT, METRICS, HISTORY, LOG, PART_NAMES)


class RunFolder:
    """A learned explainer with its configuration, log and figures.

    Files: `config.json` (`RunConfig`), `explainer.keras`, `split.json` (which images
    were for learning), `history.json` and `log.csv` (the log of each epoch),
    `metrics.json` (if it was evaluated), `part_names.json` (if its filters were named),
    `backup/` (where learning goes on after an
    interruption; removed at its end), `lock` (while a process writes). Each is written
    beside its place and moved there.

    Made by `keras_explainer.runs.train`; opened by `RunFolder.open`.

    Attributes:
        path: the folder.
        config: its `RunConfig`.
    """

    def __init__(
        self, path: Path, config: RunConfig, lock: RunLock | None = None
    ) -> None:
        self.path = path
        self.config = config
        self._lock = lock

    # Made, opened, closed

    @staticmethod
    def check_new(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """The path of a folder where a new run may be written.

        Args:
            path: the folder; it need not exist.
            overwrite: whether a run that is there may be replaced.

        Raises:
            RunError: it is a file, holds something else, or a run that is to be kept.
        """
        folder = Path(path)
        if not folder.exists():
            return folder
        if not folder.is_dir():
            raise RunError(f"{folder} is a file; a run needs a folder.")
        if (folder / CONFIG).exists():
            if overwrite and is_run(folder):
                return folder
            if overwrite:
                raise RunError(
                    f"{folder} has a {CONFIG} that is no run's: it is not overwritten. "
                    "Choose another folder."
                )
            raise RunError(
                f"{folder} holds a run already. Go on with it (resume=True, --resume), "
                "replace it (overwrite=True, --overwrite), or choose another folder."
            )
        foreign = [p.name for p in folder.iterdir() if p.name != LOCK]
        foreign = [name for name in foreign if not name.startswith(".tmp-")]
        if foreign:
            raise RunError(
                f"{folder} holds files that are no run's, {sorted(foreign)[0]!r} for "
                "one. Choose a new or an empty folder."
            )
        return folder

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        config: RunConfig,
        *,
        overwrite: bool = False,
    ) -> RunFolder:
        """Begins a run: makes the folder, locks it and writes `config.json`.

        Use it as a context, or `close` it: the lock is held until then.

        Raises:
            RunError: as for `check_new`; another process writes the folder; it cannot
                be written.
        """
        folder = cls.check_new(path, overwrite)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = RunLock(folder / LOCK)
        try:
            cls.check_new(folder, overwrite)
            files.remove_leftovers(folder)
            run = cls(folder, config, lock)
            # The old backup first: it must never seem to be the new run's.
            run.remove_backup()
            run.write_config(config)
            with writing(folder):
                for name in _MADE:
                    (folder / name).unlink(missing_ok=True)
        except BaseException:
            lock.release()
            raise
        return run

    @classmethod
    def reopen(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Opens a run, in whatever state, to write it; locked as by `create`.

        Raises:
            RunError: no run, another version's, or another process writes it.
        """
        folder = Path(path)
        read_run_config(folder)
        lock = RunLock(folder / LOCK)
        try:
            for place in (folder, folder / BACKUP):
                files.remove_leftovers(place)
            return cls(folder, read_run_config(folder), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Opens a run that has been learned, to read it.

        Raises:
            RunError: no run, another version's, or one that is not complete.
        """
        folder = Path(path)
        run = cls(folder, read_run_config(folder))
        status = run.config.status
        if status in ("new", "learning"):
            if is_locked(folder / LOCK):
                raise RunError(
                    f"The run {folder} is being learned by {owner(folder / LOCK)}. "
                    "Wait for it to end."
                )
            done = len(run.history) if (folder / HISTORY).exists() else 0
            raise RunError(
                f"The run {folder} was interrupted after {done} of "
                f"{run.config.epochs} epochs. Go on with it: resume=True, or "
                f"keras-explainer train --out {folder} --resume."
            )
        if not (folder / MODEL).is_file():
            raise RunError(
                f"The run {folder} is incomplete: it has no {MODEL}. Learn it again "
                "(--overwrite), or copy the file there."
            )
        if status == "diverged":
            logger.warning(
                "The run %s diverged: its explainer has the weights of the last good "
                "epoch. %s",
                folder,
                run.config.message,
            )
        return run

    def close(self) -> None:
        """Lets the lock go; the run can still be read."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r}, {self.config.status})"

    # What it holds

    @property
    def split(self) -> dict[str, Any]:
        """Which images were for learning, see `ImageFolder.split_record`."""
        return self._read(SPLIT, dict)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The log: `{"epoch": 1, "loss": ..., ...}` of each epoch, None for NaN."""
        rows = self._read(HISTORY, dict).get("epochs")
        if isinstance(rows, list) and all(
            isinstance(row, dict) and type(row.get("epoch")) is int for row in rows
        ):
            return rows
        raise foreign(self.path / HISTORY)

    @property
    def metrics(self) -> dict[str, Any] | None:
        """The content of `metrics.json`; None if the run was not evaluated."""
        return self._read(METRICS, dict) if (self.path / METRICS).exists() else None

    @property
    def part_names(self) -> PartNames | None:
        """The content of `part_names.json`; None if the filters have no names.

        Raises:
            RunError: it cannot be read.
        """
        path = self.path / PART_NAMES
        if not path.exists():
            return None
        try:
            return PartNames.load_json(path)
        except DataError as error:
            raise RunError(f"{error} Name the parts again, or remove it.") from error

    def load_teacher(self, weights: str | os.PathLike[str] | None = None) -> Teacher:
        """The teacher that was learned on, made again from its source.

        Args:
            weights: where its weights or model file is now, if it has been moved.

        Raises:
            RunError: it has no source, or its file is not at its place.
            TeacherError: as for `Teacher.from_source`.
        """
        source = self.config.teacher
        if source is None:
            raise RunError(
                f"The run {self.path} was learned on a teacher that was handed over as "
                "an object: hand it over again (teacher=...)."
            )
        recorded = source.get("weights") or source.get("path")
        moved = weights is None and recorded != "imagenet"
        if moved and not Path(str(recorded)).exists():
            raise RunError(
                f"The run {self.path} needs its teacher's file {recorded}, which is "
                "not there. If it has been moved: weights=PATH, or --weights PATH."
            )
        return Teacher.from_source(source, path=weights)

    def load_explainer(
        self,
        teacher: Teacher | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> Explainer:
        """The learned explainer with its teacher.

        Args:
            teacher: what it was learned on; None makes it again from its source.
            weights: see `load_teacher`.

        Raises:
            RunError: as for `load_teacher`; a file that cannot be read.
            TeacherError: another teacher than the one that was learned on.
        """
        path = self.path / MODEL
        if not path.is_file():
            raise RunError(f"The run {self.path} has no {MODEL}; it is incomplete.")
        teacher = self.load_teacher(weights) if teacher is None else teacher
        try:
            return load(path, teacher)
        except TeacherError:
            raise
        except Exception as error:
            raise RunError(
                f"{path} cannot be loaded: {one_line(error, 400)} It was "
                f"made with keras {self.config.versions.get('keras')}. If it is "
                "damaged, learn the run again (--overwrite)."
            ) from error

    def image_folder(
        self,
        image_size: Sequence[int],
        channels: int = 3,
        *,
        directory: str | os.PathLike[str] | None = None,
        category: str | None = None,
        on_bad: str | None = None,
    ) -> ImageFolder:
        """The images, split as they were for learning.

        Args:
            image_size: (height, width) of the teacher's input, pixels.
            channels: of the teacher's input.
            directory: where they are now, or other ones; None: the run's own.
            category: None for the run's own, "" for all.
            on_bad: "skip" or "raise"; None: as in the run.

        Raises:
            DataError: as for `ImageFolder`.
        """
        data = self.config.data
        own = directory is None
        return ImageFolder(
            data.directory if directory is None else directory,
            image_size=image_size,
            channels=channels,
            category=data.category if category is None else category or None,
            parts_csv=data.parts_csv if own else None,
            test_share=data.test_share,
            seed=data.split_seed,
            on_bad=on_bad or data.on_bad,
            split=self.split if (self.path / SPLIT).exists() else None,
        )

    # Writing

    @property
    def backup(self) -> Path:
        """The file from which learning goes on."""
        return self.path / BACKUP / "state.npz"

    def write_config(self, config: RunConfig) -> None:
        """Writes `config.json` and takes it as the run's own."""
        with writing(self.path):
            files.write_json(self.path / CONFIG, config.to_dict())
        self.config = config

    def write_split(self, record: Mapping[str, Any]) -> None:
        """Writes `split.json`."""
        with writing(self.path):
            files.write_json(self.path / SPLIT, dict(record))

    def write_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes `history.json` and `log.csv`: a row for each epoch."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, names, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with writing(self.path):
            value = {"schema_version": 1, "epochs": [dict(row) for row in rows]}
            files.write_json(self.path / HISTORY, value)
            files.write_text(self.path / LOG, table.getvalue())

    def write_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Writes `metrics.json`, what `keras_explainer.runs.evaluate` gave."""
        with writing(self.path):
            files.write_json(self.path / METRICS, dict(metrics))

    def write_part_names(self, names: PartNames) -> None:
        """Writes `part_names.json`."""
        with writing(self.path):
            names.save_json(self.path / PART_NAMES)

    def save_explainer(self, explainer: Explainer) -> None:
        """Writes `explainer.keras`."""
        with writing(self.path):
            files.save_atomically(self.path / MODEL, explainer.save)

    def remove_backup(self) -> None:
        """Removes `backup/`."""
        with writing(self.path):
            if (self.path / BACKUP).exists():
                shutil.rmtree(self.path / BACKUP)

    def writing(self) -> AbstractContextManager[None]:
        """A context in which a failed write becomes a `RunError`."""
        return writing(self.path)

    def _read(self, name: str, kind: type) -> Any:
        content = read_run_json(self.path / name, self.path)
        if not isinstance(content, kind):
            raise foreign(self.path / name)
        return content
