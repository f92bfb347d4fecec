"""`SparkEngine`: the shards of a job on the workers of a Spark cluster."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_output import DatasetOutput
from keras_explainer.batch_inference.spark_stages import (
    COUNTS,
    predictor,
    shard_source,
    writer,
)
from keras_explainer.errors import DatasetJobError

logger = logging.getLogger(__name__)

_STAGE = "KERAS_EXPLAINER_STAGE"
_SHIPPED = "keras_explainer_model"
_OWN_ERROR = re.compile(r"keras_explainer\.errors\.\w+: (.+)")


class SparkEngine:
    """Explains the shards of a job that are not done: one task and part file each.

    A task reads its shard, gives the images to the model by Spark's
    `predict_batch_udf`, and writes its part file, beside its place and moved there. A
    task that Spark runs twice writes the same file, so that every row is there once.

    Args:
        workers: Executors, of one core each.
        threads: Of TensorFlow in each.
        master: Of Spark, such as spark://host:7077 or yarn; None for that of the
            running session or of `spark-submit`, else threads of this machine.
        ship_model: Send the model along; else all workers read it by its path.
    """

    def __init__(
        self, workers: int, threads: int, master: str | None, ship_model: bool
    ) -> None:
        self.workers = workers
        self.threads = threads
        self.master = master
        self.ship_model = ship_model

    def run(self, output: DatasetOutput, done: Callable[[int], None]) -> None:
        """Writes all part files that are missing.

        Args:
            output: Of the job, held by this process, at a path that all workers write.
            done: Called with the rows of parts that were written.

        Raises:
            DatasetJobError: The output cannot be written; a worker has no such model;
                Spark gives up.
        """
        from pyspark.sql import SparkSession

        tasks = list(output.offsets())
        if not tasks:
            return
        running = SparkSession.getActiveSession()
        session = self._session()
        try:
            self._explain(session, output, tasks, done)
        finally:
            if running is None:
                session.stop()

    def _session(self) -> Any:
        from pyspark import SparkConf, SparkContext
        from pyspark.sql import SparkSession

        # What `spark-submit` and spark-defaults.conf say is known to Java alone.
        SparkContext._ensure_initialized()
        given = SparkConf()
        settings = {
            "spark.app.name": "keras-explainer explain-dataset",
            "spark.executor.cores": "1",
            "spark.executor.instances": str(self.workers),
            "spark.cores.max": str(self.workers),
            # Of the Python processes, where a cluster limits them.
            "spark.executor.memoryOverhead": "3g",
            "spark.executorEnv.TF_NUM_INTRAOP_THREADS": str(self.threads),
            "spark.executorEnv.TF_NUM_INTEROP_THREADS": str(self.threads),
            "spark.executorEnv.OMP_NUM_THREADS": str(self.threads),
            "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "2",
            "spark.ui.showConsoleProgress": "false",
            # Images in a batch between Python and Java have megabytes, not kilobytes.
            "spark.sql.execution.arrow.maxRecordsPerBatch": "32",
        }
        if self.master is not None:
            settings["spark.master"] = self.master
        elif not given.contains("spark.master"):
            settings["spark.master"] = f"local[{self.workers}]"
        if not given.contains("spark.pyspark.python"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = SparkSession.builder
        for name, value in settings.items():
            if name == "spark.master" or not given.contains(name):
                builder = builder.config(name, value)
        if settings.get("spark.master", "").startswith("local"):
            # There the workers are this process' children.
            for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
                os.environ.setdefault(name, str(self.threads))
        session = builder.getOrCreate()
        session.sparkContext.setLogLevel("ERROR")
        return session

    def _explain(
        self,
        session: Any,
        output: DatasetOutput,
        tasks: list[tuple[int, int]],
        done: Callable[[int], None],
    ) -> None:
        with tempfile.TemporaryDirectory() as place:
            job = output.job
            model: str | None = job.model
            if self.ship_model:
                archive = shutil.make_archive(
                    str(Path(place) / _SHIPPED), "zip", job.model
                )
                session.sparkContext.addArchive(f"{archive}#{_SHIPPED}")
                model = None
            session.dataSource.register(shard_source(output, tasks))
            images = session.read.format("keras_explainer_shards").load()
            with _processes_of_its_own(session):
                found = predictor(job, model, _SHIPPED)(images["content"])
            kept = ("shard", "row", "image_id", "status", "error")
            rows = images.select(*kept, found.alias("found"))
            written = rows.mapInArrow(writer(output), COUNTS)
            self._collect(session, written, output, tasks, done)

    def _collect(
        self,
        session: Any,
        written: Any,
        output: DatasetOutput,
        tasks: list[tuple[int, int]],
        done: Callable[[int], None],
    ) -> None:
        """Runs the job in a thread, and tells meanwhile what is done."""
        from pyspark import InheritableThread
        from pyspark.errors import PySparkException

        faults: list[Exception] = []
        group = f"keras-explainer {output.folder}"

        def collect() -> None:
            session.sparkContext.setJobGroup(group, group, interruptOnCancel=True)
            try:
                written.collect()
            except Exception as error:
                faults.append(error)

        thread = InheritableThread(target=collect, daemon=True)
        thread.start()
        left = {number for number, _ in tasks}
        try:
            while thread.is_alive():
                thread.join(2.0)
                self._tell(output, left, done)
        except BaseException:
            session.sparkContext.cancelJobGroup(group)
            raise
        self._tell(output, left, done)
        if faults:
            error = faults[0]
            if isinstance(error, PySparkException) or "Py4J" in type(error).__name__:
                raise DatasetJobError(_reason(error)) from error
            raise error

    def _tell(
        self, output: DatasetOutput, left: set[int], done: Callable[[int], None]
    ) -> None:
        from keras_explainer.batch_inference.part_file import read_facts

        there = {path.name for path in output.folder.glob("part-*")}
        for number in sorted(left):
            if output.part(number).name not in there:
                continue
            facts = read_facts(output.part(number))
            if facts is not None:
                left.discard(number)
                done(facts.rows)


@contextmanager
def _processes_of_its_own(session: Any) -> Iterator[None]:
    """Python functions that are made in the block share no process with others.

    Spark gives a process to functions of the same environment in turn: each that reads
    or writes would sooner or later hold a model too.
    """
    environment = session.sparkContext.environment
    environment[_STAGE] = "model"
    try:
        yield
    finally:
        del environment[_STAGE]


def _reason(error: Exception) -> str:
    """What the user can act on: our own message from a worker, or Spark's own."""
    text = str(error)
    own = _OWN_ERROR.findall(text)
    if own:
        return f"{own[-1].strip()} What is done is kept."
    first = next((line for line in text.splitlines() if line.strip()), "no message")
    return f"Spark gave up: {first.strip()[:500]} What is done is kept."
