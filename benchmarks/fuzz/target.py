"""`Target`: a reader, the files it is given, and what it may use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from benchmarks.fuzz.mutations import Draw

Files = dict[str, bytes]


class Target(ABC):
    """One reader of the package under hostile files.

    Attributes:
        name: of the target.
        cases: how many a whole campaign has.
        chunk: how many of them a process does.
        megabytes: memory that a case may take beyond what the process had, MiB.
        seconds: that a case may take.
        fresh: whether each case has a folder of its own; else files are written over.

    Args:
        folder: a place of its own, where it may lay files that all cases share.
    """

    name: ClassVar[str]
    cases: ClassVar[int]
    chunk: ClassVar[int] = 2_000
    megabytes: ClassVar[int] = 64
    seconds: ClassVar[float] = 5.0
    fresh: ClassVar[bool] = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def case(self, draw: Draw) -> Files:
        """The files of a case, by relative path."""

    @abstractmethod
    def read(self, folder: Path) -> None:
        """Reads the files that were written to `folder`, and checks what came of it."""
