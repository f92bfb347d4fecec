"""`DatasetOutput`: the folder with the results of a job, and how far it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_input import DatasetInput
from keras_explainer.batch_inference.dataset_job import DatasetJob
from keras_explainer.batch_inference.part_facts import PartFacts
from keras_explainer.batch_inference.part_file import read_facts
from keras_explainer.batch_inference.shard import Shard
from keras_explainer.errors import DataError, DatasetJobError
from keras_explainer.file_lock import FileLock
from keras_explainer.files import atomic_path, remove_leftovers, write_json

logger = logging.getLogger(__name__)

JOB_FOLDER, JOB, PLAN, LOCK, LOGS = "_job", "job.json", "plan.jsonl", "lock", "logs"
MANIFEST = "_manifest.json"
SMALLEST, LARGEST, SHARDS_A_WORKER = 32, 1024, 8


class DatasetOutput:
    """A folder of part files, one for each shard of the plan.

        part-000000.parquet …   the results
        _manifest.json          counts, and whether all is there
        _job/job.json           what was asked; another job is refused
        _job/plan.jsonl         a shard a line, written before anything is explained
        _job/lock, _job/logs    of the process that writes, and its workers

    A part file that is there is complete: it is written beside its place and moved.
    Readers of Parquet pass over names with '_' or '.' before them.

    Args:
        folder: The folder.
        job: What is asked.
    """

    def __init__(self, folder: Path, job: DatasetJob) -> None:
        self.folder = folder
        self.job = job

    @property
    def logs(self) -> Path:
        """Folder of what workers print."""
        return self.folder / JOB_FOLDER / LOGS

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, job: DatasetJob) -> Iterator[DatasetOutput]:
        """The output of a job, new or begun, held by this process alone.

        Raises:
            DatasetJobError: Another process holds it; it is of another job, or of
                none; it cannot be written.
        """
        inside = folder / JOB_FOLDER
        with _writing(folder):
            names = (
                {entry.name for entry in folder.iterdir()} if folder.exists() else set()
            )
            # A job that was stopped before it began may have left its own folder.
            if names - {JOB_FOLDER} and not (inside / JOB).exists():
                raise DatasetJobError(
                    f"{folder} has other files: give a new folder, or the output of "
                    "the same job to go on with it."
                )
            (inside / LOGS).mkdir(parents=True, exist_ok=True)
        with FileLock(inside / LOCK, f"The output {folder}", DatasetJobError):
            with _writing(folder):
                output = cls(folder, job)
                output._check_job()
                output.remove_leftovers()
            yield output

    def remove_leftovers(self) -> None:
        """Removes what was half written; nobody else writes here now."""
        for place in (self.folder, self.folder / JOB_FOLDER):
            remove_leftovers(place)

    def _check_job(self) -> None:
        path = self.folder / JOB_FOLDER / JOB
        if path.exists():
            begun = DatasetJob.of_text(path.read_text(encoding="utf-8"), path)
            other = self.job.differences(begun)
            if other:
                said = "; ".join(
                    f"{name} {getattr(begun, name)!r} there, "
                    f"{getattr(self.job, name)!r} now"
                    for name in other
                )
                raise DatasetJobError(
                    f"{self.folder} is the output of another job: {said}. Give another "
                    "folder."
                )
        # Anew: the model may have moved, and batches have another size.
        write_json(path, self.job.to_dict())

    def plan(self, given: DatasetInput, workers: int, rows: int | None) -> None:
        """Writes which images each shard has, if that is not done yet.

        Args:
            given: The dataset.
            workers: They shall all have work.
            rows: Images of a shard; None for a number by the images and workers.

        Raises:
            DataError: There are no images.
            DatasetJobError: It cannot be written.
        """
        path = self.folder / JOB_FOLDER / PLAN
        if path.exists():
            return
        if rows is None:
            share = -(-given.count() // (SHARDS_A_WORKER * workers))
            rows = min(LARGEST, max(SMALLEST, share))
        shards = 0
        with (
            _writing(self.folder),
            atomic_path(path) as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            for shard in given.shards(rows):
                file.write(shard.to_json() + "\n")
                shards += 1
            if not shards:
                raise DataError(f"{self.job.input} has no images.")

    def part(self, number: int) -> Path:
        """The part file of a shard."""
        return self.folder / f"part-{number:06}.parquet"

    def shards(self) -> Iterator[Shard]:
        """The plan."""
        return (shard for shard, _ in self._lines())

    def shard_at(self, offset: int) -> Shard:
        """The shard whose line of the plan begins at a byte."""
        with (self.folder / JOB_FOLDER / PLAN).open("rb") as file:
            file.seek(offset)
            return Shard.of_json(file.readline().decode())

    def offsets(self) -> Iterator[tuple[int, int]]:
        """(number, first byte in the plan) of every shard that is not done."""
        for shard, offset in self._lines():
            if not self.is_done(shard.number):
                yield shard.number, offset

    def _lines(self) -> Iterator[tuple[Shard, int]]:
        offset = 0
        with (self.folder / JOB_FOLDER / PLAN).open("rb") as file:
            for line in file:
                yield Shard.of_json(line.decode()), offset
                offset += len(line)

    def is_done(self, number: int) -> bool:
        """Whether a shard's results are there; an unreadable one is tried again."""
        facts = read_facts(self.part(number))
        return facts is not None and facts.shard == number and not facts.unreadable

    def planned_rows(self) -> int:
        """Images of the plan; files whose end was not found count 1."""
        return sum(1 if one.count is None else one.count for one in self.shards())

    def write_manifest(self) -> dict[str, Any]:
        """Counts what is there, and writes it.

        Returns:
            `status` ("complete", or "running" while parts are missing), `rows`,
            `errors`, `unreadable`, `parts`.
        """
        found = {"rows": 0, "errors": 0, "unreadable": 0, "parts": 0}
        missing = 0
        for shard in self.shards():
            facts = read_facts(self.part(shard.number))
            if facts is None:
                missing += 1
                continue
            found["parts"] += 1
            for name in ("rows", "errors", "unreadable"):
                found[name] += getattr(facts, name)
        manifest = {
            "status": "running" if missing else "complete",
            **found,
            "missing_parts": missing,
            "job": self.job.to_dict(),
        }
        with _writing(self.folder):
            write_json(self.folder / MANIFEST, manifest)
        return manifest

    def unreadable(self) -> Iterator[PartFacts]:
        """The parts of shards that could not be read to the end."""
        for shard in self.shards():
            facts = read_facts(self.part(shard.number))
            if facts is not None and facts.unreadable:
                yield facts


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetJobError(cannot_write(folder, error)) from error


def cannot_write(folder: Path, error: OSError) -> str:
    """The message that an output cannot be written."""
    return (
        f"{folder} cannot be written: {error.strerror or error}. What is done is kept: "
        "the same command goes on with it."
    )
