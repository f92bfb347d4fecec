"""The three stages of a Spark task: read a shard, explain its images, write its part.

Each runs in Python processes of the workers; what is defined inside of functions goes
there by value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.batch_inference.dataset_row import ERROR, OK, DatasetRow
from keras_explainer.batch_inference.shard_results import image_batches
from keras_explainer.errors import DatasetJobError
from keras_explainer.results import Explanation

if TYPE_CHECKING:
    from keras_explainer.batch_inference.dataset_job import DatasetJob
    from keras_explainer.batch_inference.dataset_output import DatasetOutput

IMAGES = "shard int, row long, image_id string, status string, error string"
COUNTS = "shard int, rows int, errors int, unreadable int"


def shard_source(output: DatasetOutput, tasks: list[tuple[int, int]]) -> type:
    """A data source of Spark: the images of shards, a partition each.

    Args:
        output: Of the job.
        tasks: (number, place in the plan) of the shards.
    """
    import pyarrow as pa
    from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
    from pyspark.sql.types import StructType

    columns = pa.schema(
        [
            ("shard", pa.int32()),
            ("row", pa.int64()),
            ("image_id", pa.string()),
            ("status", pa.string()),
            ("error", pa.string()),
            ("content", pa.binary()),
        ]
    )

    class ShardReader(DataSourceReader):
        def partitions(self) -> list[Any]:
            return [InputPartition(task) for task in tasks]

        def read(self, partition: Any) -> Iterator[Any]:
            shard = output.shard_at(partition.value[1])
            given = output.job.open_input()
            for batch in image_batches(given, shard, output.job.batch_size):
                if isinstance(batch, DatasetRow):
                    values = [
                        (batch.row, batch.image_id, batch.status, batch.error, b"")
                    ]
                else:
                    values = [
                        (
                            row.row,
                            row.image_id,
                            OK if row.fault is None else ERROR,
                            row.fault,
                            row.data,
                        )
                        for row in batch
                    ]
                lists = [[shard.number] * len(values)]
                lists += [list(column) for column in zip(*values, strict=True)]
                yield pa.RecordBatch.from_arrays(
                    [
                        pa.array(column, field.type)
                        for column, field in zip(lists, columns, strict=True)
                    ],
                    schema=columns,
                )

    class ShardSource(DataSource):
        @classmethod
        def name(cls) -> str:
            return "keras_explainer_shards"

        def schema(self) -> str:
            return f"{IMAGES}, content binary"

        def reader(self, schema: StructType) -> DataSourceReader:
            return ShardReader()

    return ShardSource


def predictor(job: DatasetJob, model: str | None, shipped: str) -> Any:
    """The model as Spark's batch inference: from encoded images to JSON texts.

    A text is `Explanation.to_dict`, or what is wrong as a JSON string.

    Args:
        job: The job.
        model: Folder of the version, the same on all workers; None for the archive
            that was sent.
        shipped: Name of that archive.
    """
    from pyspark.ml.functions import predict_batch_udf
    from pyspark.sql.types import StringType

    class_, contributions = job.class_, job.contributions

    def make() -> Callable[[np.ndarray], np.ndarray]:
        from pyspark import SparkFiles

        from keras_explainer.batch_inference.saved_model_program import (
            SavedModelProgram,
        )

        folder = Path(model) if model is not None else Path(SparkFiles.get(shipped))
        program = SavedModelProgram(folder, class_, contributions)

        def predict(content: np.ndarray) -> np.ndarray:
            found = np.full(len(content), "null", object)
            # Rows that could not be read go through without an image.
            given = [at for at, data in enumerate(content) if data]
            if given:
                answers = program.explain([bytes(content[at]) for at in given])
                found[given] = [_to_json(answer) for answer in answers]
            return found

        return predict

    return predict_batch_udf(make, return_type=StringType(), batch_size=job.batch_size)


def writer(output: DatasetOutput) -> Callable[[Iterator[Any]], Iterator[Any]]:
    """From the rows of a task to its part file, and a row of its counts."""

    def write(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        from keras_explainer.batch_inference.dataset_output import cannot_write
        from keras_explainer.batch_inference.part_file import write_part

        shards: dict[int, list[DatasetRow]] = {}
        for batch in batches:
            for data in batch.to_pylist():
                shards.setdefault(data["shard"], []).append(_row(data))
        for number, rows in shards.items():
            try:
                facts = write_part(output.part(number), number, rows)
            except OSError as error:
                raise DatasetJobError(cannot_write(output.folder, error)) from error
            yield pa.RecordBatch.from_pydict(
                {
                    name: pa.array([getattr(facts, name)], pa.int32())
                    for name in ("shard", "rows", "errors", "unreadable")
                }
            )

    return write


def _row(data: dict[str, Any]) -> DatasetRow:
    if data["status"] == OK:
        found = json.loads(data["found"])
        answer = found if isinstance(found, str) else Explanation.from_dict(found)
        return DatasetRow.of(data["shard"], data["row"], data["image_id"], answer)
    return DatasetRow(
        image_id=data["image_id"],
        shard=data["shard"],
        row=data["row"],
        status=data["status"],
        error=data["error"],
    )


def _to_json(answer: Explanation | str) -> str:
    given = answer if isinstance(answer, str) else answer.to_dict()
    return json.dumps(given, ensure_ascii=False, allow_nan=False)
