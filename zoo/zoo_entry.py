"""`ZooEntry`: what the zoo knows of one teacher and its explainer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keras_explainer.errors import ZooError, did_you_mean

ROOT = Path(__file__).resolve().parent
TEACHER, EXPLAINER = "teacher.json", "explainer.json"


@dataclass(frozen=True)
class ZooEntry:
    """A folder of the zoo: records of a teacher and of its explainer.

    Args:
        name: of the folder.
        root: where the folders are.

    Raises:
        ZooError: there is no such entry.
    """

    name: str
    root: Path = ROOT

    def __post_init__(self) -> None:
        names = self.names(self.root)
        if self.name not in names:
            raise ZooError(
                f"The zoo has no {self.name!r}. {did_you_mean(self.name, names)}"
            )

    @staticmethod
    def names(root: Path = ROOT) -> list[str]:
        """Names of all entries, sorted."""
        return sorted(path.parent.name for path in root.glob(f"*/{TEACHER}"))

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.root / self.name

    @cached_property
    def teacher(self) -> dict[str, Any]:
        """The teacher's record: its file, sha256, licence, version, tap and figures."""
        return self._record(TEACHER)

    @cached_property
    def explainer(self) -> dict[str, Any]:
        """The explainer's record: its file, sha256, licence, version and figures."""
        return self._record(EXPLAINER)

    def _record(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ZooError(f"{path} cannot be read: {error}") from error
        if not isinstance(record, dict):
            raise ZooError(f"{path} is no record of the zoo.")
        return record
