"""Part files: rows of a dataset as Parquet, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from keras_explainer.batch_inference.dataset_row import ERROR, UNREADABLE, DatasetRow
from keras_explainer.batch_inference.part_facts import PartFacts
from keras_explainer.files import atomic_path
from keras_explainer.results import Explanation

FACTS, SAME = b"keras_explainer.part", b"keras_explainer.explanation"
# Of every explanation by one model the same: in the file's head, not in its rows.
_SAME = (
    *("schema_version", "image_size", "activation", "share", "filters", "map_size"),
    *("beta", "presence_calibrated", "no_contributions"),
)
_SCORE = pa.struct(
    [
        ("class_index", pa.int32()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("logit", pa.float32()),
    ]
)
_CONTRIBUTIONS = pa.struct(
    [
        ("method", pa.string()),
        ("filters", pa.float64()),
        ("ordinary", pa.float64()),
        ("baseline", pa.float64()),
        ("change", pa.float64()),
        ("steps", pa.int32()),
        ("completeness_error", pa.float64()),
        ("relative_error", pa.float64()),
    ]
)
_CELL = pa.list_(pa.int32())
_PART = pa.struct(
    [
        ("filter", pa.int32()),
        ("name", pa.string()),
        ("name_confidence", pa.float64()),
        ("present", pa.bool_()),
        ("strength", pa.float32()),
        ("relative_strength", pa.float32()),
        ("cell", _CELL),
        ("position", pa.list_(pa.float64())),
        ("box", pa.list_(pa.float32())),
        ("other_cells", pa.list_(_CELL)),
        ("contribution", pa.float32()),
    ]
)
SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("answer", _SCORE),
        ("explained", _SCORE),
        ("reconstruction", _SCORE),
        ("reconstruction_answer", _SCORE),
        ("logit_gap", pa.float64()),
        ("warnings", pa.list_(pa.string())),
        ("parts", pa.list_(_PART)),
        ("contributions", _CONTRIBUTIONS),
        ("shard", pa.int32()),
        ("row", pa.int64()),
    ]
)
"""The columns of a part file; those of an explanation are `Explanation.to_dict`'s.

Single precision where the model computes in it, so that nothing is lost.
"""


def part_table(rows: Sequence[DatasetRow]) -> pa.Table:
    """Rows as a table of `SCHEMA`, with what is the same for all in its metadata."""
    given = [row.explanation and row.explanation.to_dict() for row in rows]
    explained: list[dict[str, Any]] = [one or {} for one in given]
    for found, row in zip(explained, rows, strict=True):
        for name in ("image_id", "status", "error", "shard", "row"):
            found[name] = getattr(row, name)
    same = next((one for one in explained if "schema_version" in one), None)
    shared = None if same is None else {name: same[name] for name in _SAME}
    return pa.Table.from_pylist(explained, SCHEMA).replace_schema_metadata(
        {SAME: json.dumps(shared).encode()}
    )


def write_part(path: Path, number: int, rows: Sequence[DatasetRow]) -> PartFacts:
    """Writes the rows of a shard, atomically.

    Raises:
        OSError: It cannot be written.
    """
    facts = PartFacts(
        shard=number,
        rows=len(rows),
        errors=sum(row.status == ERROR for row in rows),
        unreadable=sum(row.status == UNREADABLE for row in rows),
    )
    table = part_table(rows)
    table = table.replace_schema_metadata(
        {**table.schema.metadata, FACTS: facts.to_json().encode()}
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return facts


def read_facts(path: Path) -> PartFacts | None:
    """What a part file says of itself; None if there is none, or it is something else.

    Only its end is read.
    """
    try:
        about = pq.read_metadata(path).metadata or {}
        return PartFacts.of_json(about[FACTS].decode())
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError):
        return None


def read_rows(path: Path) -> Iterator[DatasetRow]:
    """The rows of a part file, as they were written."""
    with pq.ParquetFile(path) as file:
        shared = json.loads(file.schema_arrow.metadata[SAME])
        for batch in file.iter_batches(1024):
            for data in batch.to_pylist():
                row = {
                    name: data.pop(name)
                    for name in ("image_id", "status", "error", "shard", "row")
                }
                found = None
                if shared is not None and data["parts"] is not None:
                    found = Explanation.from_dict(
                        {
                            **shared,
                            **data,
                            "index": row["row"],
                            "image": row["image_id"],
                        }
                    )
                yield DatasetRow(**row, explanation=found)
