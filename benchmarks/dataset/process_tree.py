"""`ProcessTree`: time and memory of some processes with all that they started."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """At one moment.

    Attributes:
        at: Seconds of the clock.
        cpu: Seconds that the processes have computed.
        machine: Seconds that all of the machine's cores have computed.
        mib: Memory of all of them, what they share counted once (PSS).
        largest: Of the largest.
    """

    at: float
    cpu: float
    machine: float
    mib: float
    largest: float


class ProcessTree:
    """Looks at processes while it is open; a context. Linux alone has what it reads.

    Args:
        roots: Numbers of processes; their descendants count too.
        every: Seconds between two looks.

    Attributes:
        samples: In their order.
    """

    def __init__(self, roots: list[int], every: float = 1.0) -> None:
        self.roots = set(roots)
        self.every = every
        self.samples: list[Sample] = []
        self._cpu: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ProcessTree:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(self.every):
            self._look()

    def _look(self) -> None:
        found = _processes()
        mine = set(self.roots)
        added = True
        while added:
            added = False
            for pid, (parent, _) in found.items():
                if parent in mine and pid not in mine:
                    mine.add(pid)
                    added = True
        sizes = [0.0]
        for pid in mine & set(found):
            self._cpu[pid] = max(self._cpu.get(pid, 0.0), found[pid][1])
            sizes.append(_pss_mib(pid))
        # A process that has lost its parent is still ours.
        self.roots |= mine & set(found)
        self.samples.append(
            Sample(
                time.time(),
                sum(self._cpu.values()),
                _machine_seconds(),
                sum(sizes),
                max(sizes),
            )
        )

    def between(self, start: float, end: float) -> tuple[Sample, Sample]:
        """The samples nearest to two moments."""
        first = min(self.samples, key=lambda one: abs(one.at - start))
        last = min(self.samples, key=lambda one: abs(one.at - end))
        return first, last


def _processes() -> dict[int, tuple[int, float]]:
    """{number: (parent, seconds computed)}."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The name in brackets may hold anything.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        seconds = (int(fields[11]) + int(fields[12])) / _TICKS
        found[int(entry.name)] = (int(fields[1]), seconds)
    return found


def _pss_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _machine_seconds() -> float:
    """That all cores have computed since the start: user, nice, system, interrupts."""
    first = Path("/proc/stat").read_text().splitlines()[0].split()
    user, nice, system, _, _, irq, soft = map(int, first[1:8])
    return (user + nice + system + irq + soft) / _TICKS
