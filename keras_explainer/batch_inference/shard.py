"""`Shard`: the images that a worker takes at a time; each becomes one part file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Some images of a dataset, as the plan of a job has them.

    Attributes:
        number: From 0.
        path: Of the file, relative to the input; "" for image files.
        start: Number of the first row in the file; 0 for image files.
        count: Of the rows; None for a file whose end could not be found when the job
            was planned: everything from `start` on.
        files: Image files, relative to the input; none for other kinds.
    """

    number: int
    path: str = ""
    start: int = 0
    count: int | None
    files: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, line: str) -> Shard:
        """Of `to_json`."""
        data = json.loads(line)
        return cls(**{**data, "files": tuple(data["files"])})


class UnreadableShardError(Exception):
    """The rest of a shard cannot be read.

    Args:
        reason: Why.
        row: The first row that is missing.
    """

    def __init__(self, reason: str, row: int) -> None:
        super().__init__(reason)
        self.row = row
