"""Runs cases of a target in this process, and measures each."""

from __future__ import annotations

import gc
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.fuzz.models import clear
from benchmarks.fuzz.target import Files, Target
from keras_explainer.errors import KerasExplainerError

_STATUS = Path("/proc/self/status")
_PEAK = Path("/proc/self/clear_refs")


@dataclass
class Tally:
    """What became of cases.

    Attributes:
        cases: how many there were.
        read: how many were read without an error.
        refused: how many were refused, by the error's class.
        seconds: in all.
        slowest: seconds of the slowest case.
        peak: the most memory that a case took beyond what the process had, MiB.
        faults: what must not be: another error, too slow, too much memory.
    """

    cases: int = 0
    read: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    peak: float = 0.0
    faults: list[dict[str, str]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {**vars(self), "refused": dict(self.refused)}


def run_cases(
    target: Target, folder: Path, number: int, cases: int, kept: Path | None = None
) -> Tally:
    """Makes and reads `cases` cases; the same ones for the same `number`.

    Args:
        target: the reader.
        folder: where cases are written.
        number: seed of the cases.
        cases: how many.
        kept: folder that gets the files of each case that is a fault.
    """
    tally = Tally()

    @seed(number)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.composite(lambda draw: target.case(draw))())
    def one(files: Files) -> None:
        if target.fresh:
            clear(folder)
        write(files, folder)
        run_case(target, folder, tally)
        if tally.faults and "files" not in tally.faults[-1] and kept is not None:
            keep(files, tally.faults[-1], kept, f"{number}-{tally.cases}")

    start = time.perf_counter()
    one()
    tally.seconds = time.perf_counter() - start
    return tally


def run_case(target: Target, folder: Path, tally: Tally) -> None:
    """Reads one case, and notes what became of it."""
    before, start = _memory("VmRSS"), time.perf_counter()
    _reset_peak()
    # A reader that hangs is ended, and its process with it (SIGALRM).
    signal.setitimer(signal.ITIMER_REAL, 4 * target.seconds)
    fault = None
    try:
        target.read(folder)
        tally.read += 1
    except KerasExplainerError as error:
        tally.refused[type(error).__name__] += 1
        if not str(error).strip() or len(str(error)) > 5_000:
            fault = f"a message of {len(str(error))} letters: {str(error)[:200]}"
    except Exception as error:
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        fault = f"{type(error).__name__} at {where}: {str(error)[:300]}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    seconds, peak = time.perf_counter() - start, _memory("VmHWM") - before
    tally.cases += 1
    tally.slowest = max(tally.slowest, seconds)
    tally.peak = max(tally.peak, peak)
    if seconds > target.seconds:
        fault = f"{seconds:.1f} s"
    if peak > target.megabytes:
        fault = f"{peak:.0f} MiB"
    if fault is not None:
        tally.faults.append({"what": fault})
    if tally.cases % 200 == 0:
        gc.collect()


def write(files: Files, folder: Path) -> None:
    """Lays the files of a case into a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def keep(files: Files, fault: dict[str, str], kept: Path, name: str) -> None:
    """Keeps the files of a fault, so that it can be looked at and run again."""
    place = kept / name
    clear(place)
    write(files, place)
    fault["files"] = name


def limit_memory(target: Target) -> None:
    """Stops a case that takes far more memory than it may, before the machine ends."""
    mebibyte = 2**20
    most = int(_memory("VmSize") + 2 * target.megabytes + 512) * mebibyte
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _memory(name: str) -> float:
    """A figure of the process' memory in MiB; 0 where there is none."""
    try:
        text = _STATUS.read_text()
    except OSError:
        return 0.0
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def _reset_peak() -> None:
    try:
        _PEAK.write_text("5")
    except OSError:
        return
