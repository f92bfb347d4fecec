"""`PartFacts`: what is in a part file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """Counts of the rows of a part file.

    Attributes:
        shard: Its number.
        rows: All.
        errors: Images that cannot be explained.
        unreadable: 1 where the rest of the shard could not be read, else 0.
    """

    shard: int
    rows: int
    errors: int
    unreadable: int

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, line: str) -> PartFacts:
        """Of `to_json`."""
        return cls(**{name: int(value) for name, value in json.loads(line).items()})
