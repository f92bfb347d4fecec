"""`LocalEngine`: worker processes of this machine, each with its own model."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_output import (
    DatasetOutput,
    cannot_write,
)
from keras_explainer.batch_inference.dataset_row import DatasetRow
from keras_explainer.batch_inference.part_file import write_part
from keras_explainer.batch_inference.shard import Shard
from keras_explainer.batch_inference.shard_results import unreadable_row
from keras_explainer.errors import DatasetJobError

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""Workers that may die at one shard, or before they are ready, one after the other."""
_WORKER = "keras_explainer.batch_inference.local_worker"


class LocalEngine:
    """Explains the shards of a job that are not done.

    A worker that dies is replaced, and its shard given to the next one. A shard at
    which `ATTEMPTS` workers died becomes one row with that error, and the job goes on.

    Args:
        workers: Processes; no more are started than there are shards.
        threads: Of TensorFlow in each; None for the cores' share.
    """

    def __init__(self, workers: int, threads: int | None = None) -> None:
        self.workers = workers
        self.threads = threads or max(1, (os.cpu_count() or 1) // workers)

    def run(self, output: DatasetOutput, done: Callable[[int], None]) -> None:
        """Writes all part files that are missing.

        Args:
            output: Of the job, held by this process.
            done: Called with the rows of each part that was written.

        Raises:
            DatasetJobError: The output cannot be written; no worker starts; the model
                cannot be used.
        """
        queue = _Queue(output.offsets())
        threads = []
        for number in range(self.workers):
            if not queue.has_more():
                break
            thread = threading.Thread(
                target=self._serve, args=(number, output, queue, done), daemon=True
            )
            thread.start()
            threads.append(thread)
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.2)  # so that Ctrl-C is heard
        except BaseException:
            queue.stop(None)
            raise
        finally:
            if queue.stopped:  # a worker may have been killed while it wrote
                output.remove_leftovers()
        if queue.fault is not None:
            raise queue.fault

    def _serve(
        self,
        number: int,
        output: DatasetOutput,
        queue: _Queue,
        done: Callable[[int], None],
    ) -> None:
        """Gives one worker after the other shards, until there are no more."""
        place = _Place(number, output, self.threads, queue)
        try:
            while (task := queue.take()) is not None:
                died = ""
                for _ in range(ATTEMPTS):
                    answer = place.ask(task[1])
                    if queue.stopped:
                        return
                    if isinstance(answer, int):
                        queue.tell(done, answer)
                        break
                    died = answer
                    logger.warning("A worker died at shard %d: %s", task[0], died)
                else:
                    row = _given_up(output.shard_at(task[1]), died)
                    write_part(output.part(task[0]), task[0], [row])
                    queue.tell(done, 1)
            place.end()
        except OSError as error:
            fault = DatasetJobError(cannot_write(output.folder, error))
            queue.stop(fault)
        except Exception as error:
            queue.stop(error)


def _given_up(shard: Shard, died: str) -> DatasetRow:
    why = f"{ATTEMPTS} workers died at this shard, one after the other: {died}"
    return unreadable_row(shard, shard.start, why)


class _Place:
    """A place for a worker: the next one comes when the last has died."""

    def __init__(
        self, number: int, output: DatasetOutput, threads: int, queue: _Queue
    ) -> None:
        self._number = number
        self._output = output
        self._threads = threads
        self._queue = queue
        self._worker: _Worker | None = None

    def ask(self, offset: int) -> int | str:
        """The rows of the shard's part file, or how the worker died at it.

        Raises:
            DatasetJobError: The worker says that the job cannot go on; none starts.
        """
        worker = self._worker or self._started()
        answer = worker.ask(offset)
        if answer is not None:
            self._worker = worker
            return int(answer["rows"])
        self._queue.running.discard(worker)
        self._worker = None
        return worker.last_words()

    def _started(self) -> _Worker:
        for _ in range(ATTEMPTS):
            worker = _Worker.started(self._number, self._output, self._threads)
            self._queue.running.add(worker)
            if self._queue.stopped:
                worker.kill()
            if worker.is_ready() or self._queue.stopped:
                return worker
            self._queue.running.discard(worker)
        raise DatasetJobError(
            f"{ATTEMPTS} workers died before they were ready: {worker.last_words()}"
        )

    def end(self) -> None:
        if self._worker is not None:
            self._worker.end()


class _Queue:
    """The shards that are left, for all threads, and whether to stop."""

    def __init__(self, tasks: Iterator[tuple[int, int]]) -> None:
        self._tasks = tasks
        self._next = next(tasks, None)
        self._lock = threading.Lock()
        self.running: set[_Worker] = set()
        self.stopped = False
        self.fault: Exception | None = None

    def has_more(self) -> bool:
        return self._next is not None

    def take(self) -> tuple[int, int] | None:
        """(number, place in the plan) of the next shard."""
        with self._lock:
            if self.stopped:
                return None
            task, self._next = self._next, next(self._tasks, None)
            return task

    def tell(self, done: Callable[[int], None], rows: int) -> None:
        """Calls `done`, one thread at a time."""
        with self._lock:
            done(rows)

    def stop(self, fault: Exception | None) -> None:
        """Ends all workers; the first fault is the one that counts."""
        with self._lock:
            first = not self.stopped
            self.stopped = True
            if first:
                self.fault = fault
        for worker in list(self.running):
            worker.kill()


class _Worker:
    """A process, and the lines to and from it."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self.log = log

    @classmethod
    def started(cls, number: int, output: DatasetOutput, threads: int) -> _Worker:
        log = output.logs / f"worker-{number}.log"
        environment = {
            **os.environ,
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
            # The same package as here, however this process found it.
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", _WORKER, str(output.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
                encoding="utf-8",
            )
        return cls(process, log)

    def is_ready(self) -> bool:
        return self._answer() is not None

    def ask(self, offset: int) -> dict[str, Any] | None:
        """What it says of a shard; None if it has died."""
        stdin = self.process.stdin
        try:
            if stdin is not None:
                stdin.write(f"{offset}\n")
                stdin.flush()
        except OSError:
            return None
        return self._answer()

    def _answer(self) -> dict[str, Any] | None:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line.endswith("\n"):
            self.process.wait()
            return None
        said = json.loads(line)
        if "stop" in said:
            raise DatasetJobError(said["stop"])
        return said

    def last_words(self) -> str:
        """How it ended, and what it said last."""
        code = self.process.wait()
        lines = self.log.read_text(errors="replace").strip().splitlines()
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return f"{how}; {lines[-1][:300] if lines else 'it said nothing'}"

    def end(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()

    def kill(self) -> None:
        """Ends it at once; nothing is written by it after this."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
