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

from keras_explainer.batch_inference.dataset_output import DatasetOutput
from keras_explainer.batch_inference.dataset_row import DatasetRow
from keras_explainer.batch_inference.part_file import write_part
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
        if queue.fault is not None:
            raise queue.fault

    def _serve(
        self,
        number: int,
        output: DatasetOutput,
        queue: _Queue,
        done: Callable[[int], None],
    ) -> None:
        """One worker's place: gives it shards, and replaces it when it dies."""
        try:
            worker: _Worker | None = None
            unready = 0
            while (task := queue.take()) is not None:
                died = ""
                for _ in range(ATTEMPTS):
                    while worker is None and not queue.stopped:
                        worker = _Worker.started(number, output, self.threads)
                        queue.running.add(worker)
                        if not worker.is_ready():
                            queue.running.discard(worker)
                            unready += 1
                            if unready == ATTEMPTS and not queue.stopped:
                                raise DatasetJobError(
                                    f"{ATTEMPTS} workers died before they were ready: "
                                    f"{worker.last_words()}"
                                )
                            worker = None
                    if worker is None:
                        return
                    unready = 0
                    answer = worker.ask(task[1])
                    if answer is not None:
                        done(answer["rows"])
                        break
                    if queue.stopped:
                        return
                    queue.running.discard(worker)
                    died = worker.last_words()
                    logger.warning("A worker died at shard %d: %s", task[0], died)
                    worker = None
                else:
                    row = self._given_up(output, task, died)
                    write_part(output.part(task[0]), task[0], [row])
                    done(1)
            if worker is not None:
                worker.end()
        except OSError as error:
            queue.stop(DatasetJobError(f"{output.folder}: {error}."))
        except Exception as error:
            queue.stop(error)

    def _given_up(
        self, output: DatasetOutput, task: tuple[int, int], died: str
    ) -> DatasetRow:
        shard = output.shard_at(task[1])
        why = f"{ATTEMPTS} workers died at this shard, one after the other: {died}"
        return unreadable_row(shard, shard.start, why)


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
        if self.process.poll() is None:
            self.process.kill()
