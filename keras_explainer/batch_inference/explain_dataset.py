"""`explain_dataset`: any number of images through an exported explainer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_row import DatasetRow
from keras_explainer.errors import ConfigError, DataError, did_you_mean, whole_number

logger = logging.getLogger(__name__)

ENGINES = ("local", "spark")


def explain_dataset(
    model: str | os.PathLike[str],
    input: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    engine: str = "local",
    workers: int = 1,
    class_index: int | str | None = None,
    contributions: bool = True,
    kind: str | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
    batch_size: int = 32,
    rows_per_part: int | None = None,
    threads: int | None = None,
    master: str | None = None,
    ship_model: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Explains every image of a dataset, and writes the results as Parquet.

    Every image becomes exactly one row; a bad one has an error. The same call goes on
    where an earlier one stopped, however that ended. Memory does not grow with the
    images.

    Args:
        model: An exported version, or the folder with the versions (the latest).
        input: A file, or a folder with files at any depth: images, Parquet or TFRecord.
        output: Folder for the part files.
        engine: "local", or "spark" (extra `spark`): input, output and, without
            `ship_model`, model are then where all workers see them by the same path.
        workers: Processes, or executors with one core each.
        class_index: Index or label of the class that is explained; None for the
            teacher's own, image by image.
        contributions: Whether they are computed; it is faster without.
        kind: "images", "parquet" or "tfrecord"; None for that of the first file.
        image_column, id_column: Of Parquet, or features of TFRecord, see
            `ParquetFiles` and `TfRecordFiles`.
        batch_size: Images that the model takes at a time.
        rows_per_part: Images of a part file, which are lost when a worker dies; None
            for a number by images and workers, 32 to 1024. Only asked when the job
            begins.
        threads: Of TensorFlow in each worker; None for the cores' share, with Spark 1.
        master: Of Spark; None for that of the running session or of `spark-submit`,
            else threads of this machine.
        ship_model: Send the model to the workers of Spark.
        progress: Called with the images that are done, and all.

    Returns:
        The manifest: `status` is "complete"; counts of `rows`, `errors`, `unreadable`
        and `parts`; the `job`.

    Raises:
        DataError: There is no dataset, or no image in it; a shard cannot be read to its
            end: all else is done, and the same call tries it again.
        ConfigError: Arguments that are not accepted.
        DatasetJobError: The output is another job's, held by another process or cannot
            be written; workers die before they are ready, or have no such model.
    """
    if engine not in ENGINES:
        raise ConfigError(
            f"engine is one of {', '.join(ENGINES)}, got {engine!r}. "
            + did_you_mean(str(engine), ENGINES)
        )
    workers = whole_number("workers", workers)
    batch_size = whole_number("batch_size", batch_size)
    if rows_per_part is not None:
        rows_per_part = whole_number("rows_per_part", rows_per_part)
    if threads is not None:
        threads = whole_number("threads", threads)
    if engine == "local" and (master is not None or ship_model):
        raise ConfigError("master and ship_model are for engine='spark'.")
    _check_installed("pyarrow", "dataset")
    # Here, so that the room can be imported where there is no pyarrow.
    from keras_explainer.batch_inference.dataset_job import (
        DatasetJob,
        model_folder,
        model_sha256,
    )
    from keras_explainer.batch_inference.dataset_output import DatasetOutput
    from keras_explainer.batch_inference.open_input import open_input

    folder = model_folder(Path(model).resolve())
    given = open_input(Path(input).resolve(), kind, image_column, id_column)
    job = DatasetJob(
        model=str(folder),
        model_sha256=model_sha256(folder),
        input=str(Path(input).resolve()),
        kind=given.kind,
        image_column=getattr(given, "image_column", image_column),
        id_column=getattr(given, "id_column", id_column),
        class_=class_index,
        contributions=contributions,
        batch_size=batch_size,
    )
    chosen = _engine(engine, workers, threads, master, ship_model)
    with DatasetOutput.opened(Path(output).resolve(), job) as place:
        place.plan(given, workers, rows_per_part)
        total = place.planned_rows()
        finished = 0

        def done(rows: int) -> None:
            nonlocal finished
            finished += rows
            if progress is not None:
                progress(min(finished, total), total)

        manifest = place.write_manifest()
        done(manifest["rows"] - manifest["unreadable"])
        try:
            chosen.run(place, done)
        finally:
            manifest = place.write_manifest()
        if manifest["unreadable"]:
            shards = ", ".join(str(one.shard) for one in place.unreadable())
            raise DataError(
                f"{manifest['unreadable']} shards cannot be read to their end (shard "
                f"{shards[:200]}; rows with status 'unreadable' in {place.folder} say "
                f"why). All else is done: {manifest['rows']} rows. The same command "
                "tries these shards again."
            )
    return manifest


def _engine(
    engine: str, workers: int, threads: int | None, master: str | None, ship: bool
) -> Any:
    if engine == "local":
        from keras_explainer.batch_inference.local_engine import LocalEngine

        return LocalEngine(workers, threads)
    _check_installed("pyspark", "spark")
    from keras_explainer.batch_inference.spark_engine import SparkEngine

    return SparkEngine(workers, threads or 1, master, ship)


def _check_installed(package: str, extra: str) -> None:
    if find_spec(package) is None:
        raise ConfigError(
            f"This needs {package}: pip install 'keras-explainer[{extra}]'."
        )


def read_results(output: str | os.PathLike[str]) -> Iterator[DatasetRow]:
    """The rows of an output, with explanations as `explain` gives them.

    Args:
        output: Folder of `explain_dataset`, also while it is being written.

    Raises:
        DataError: There are no part files.
    """
    _check_installed("pyarrow", "dataset")
    from keras_explainer.batch_inference.part_file import read_rows

    parts = sorted(Path(output).glob("part-*.parquet"))
    if not parts:
        raise DataError(f"{output} has no results of explain_dataset.")
    for part in parts:
        yield from read_rows(part)
