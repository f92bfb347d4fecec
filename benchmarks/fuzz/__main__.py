"""Hostile files, a hundred thousand of them.

    python -m benchmarks.fuzz [--target NAME] [--share 1.0] [--fresh]

Cases are made in chunks, each by its own seed in a process of its own, which has
a limit of memory and of time. Finished chunks are kept in benchmarks/results/fuzz, so
that an interrupted campaign goes on, round by round over all readers. Files of a fault
are left in build/fuzz.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from rich.console import Console
from rich.table import Table

from keras_explainer.files import write_json

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz" / "table.json"
KEPT = ROOT / "build" / "fuzz"


def worker(name: str, number: int, cases: int, out: Path) -> None:
    """Runs one chunk in this process and writes its tally."""
    import logging

    from benchmarks.fuzz.campaign import limit_memory, run_cases
    from benchmarks.fuzz.targets import targets

    logging.getLogger("keras_explainer").setLevel(logging.ERROR)
    faulthandler.enable()
    faulthandler.register(signal.SIGALRM, chain=True)
    place = out.parent
    folder = place / "case"
    folder.mkdir()
    target = targets()[name](folder if name == "parts.csv" else place)
    limit_memory(target)
    tally = run_cases(target, folder, number, cases, KEPT / slug(name))
    write_json(out, tally.to_dict())


def slug(name: str) -> str:
    """A target's name as a folder's."""
    return "".join(letter for letter in name if letter.isalnum())


def chunk(name: str, number: int, cases: int) -> dict[str, Any]:
    """One chunk in a process of its own; a process that dies is a fault."""
    # A disk would be most of the time of small files.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        out = Path(place) / "tally.json"
        command = [sys.executable, "-m", "benchmarks.fuzz", "--worker", name]
        command += [str(number), str(cases), str(out)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, errors="replace"
        )
        if out.exists():
            return json.loads(out.read_text())
        # The case that it was at is as it was written.
        kept = KEPT / slug(name) / f"ended-{number}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(Path(place) / "case", kept)
    what = f"the process ended with {done.returncode}: {done.stderr[-1500:]}"
    fault = {"what": what, "files": kept.name}
    return {"cases": 0, "seconds": 0.0, "faults": [fault]}


def summed(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of a target over its chunks."""
    refused: dict[str, int] = {}
    for one in chunks:
        for kind, count in one.get("refused", {}).items():
            refused[kind] = refused.get(kind, 0) + count
    return {
        "cases": sum(one["cases"] for one in chunks),
        "read": sum(one.get("read", 0) for one in chunks),
        "refused": dict(sorted(refused.items())),
        "seconds": round(sum(one["seconds"] for one in chunks), 1),
        "slowest_case_seconds": round(max(one.get("slowest", 0) for one in chunks), 2),
        "peak_case_mib": round(max(one.get("peak", 0) for one in chunks), 1),
        "faults": [fault for one in chunks for fault in one["faults"]],
    }


def main() -> None:
    """Prints the table and writes JSON."""
    if sys.argv[1:2] == ["--worker"]:
        name, number, cases, out = sys.argv[2:]
        worker(name, int(number), int(cases), Path(out))
        return
    from benchmarks.fuzz.targets import targets

    known = targets()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=list(known), action="append")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases")
    parser.add_argument("--fresh", action="store_true", help="forget earlier chunks")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    progress = options.json.with_name("chunks.json")
    done: dict[str, dict[str, Any]] = {}
    if progress.exists() and not options.fresh:
        done = json.loads(progress.read_text())
    for name, number, cases in rounds(known, options.target, options.share):
        key = f"{name}:{number}:{cases}"
        if key in done:
            continue
        done[key] = chunk(name, number, cases)
        write_json(progress, done)
        faults = len(done[key]["faults"])
        print(f"{key}: {done[key]['seconds']:.0f} s, {faults} faults", flush=True)
        _write(options.json, done, known)
    _print(_write(options.json, done, known)["targets"])


def rounds(
    known: dict[str, Any], names: list[str] | None, share: float
) -> list[tuple[str, int, int]]:
    """(target, seed, cases) of every chunk; the first ones of all targets first."""
    found = []
    for name in names or list(known):
        size, count = known[name].chunk, round(known[name].cases * share)
        for number, start in enumerate(range(0, count, size)):
            found.append((name, number, min(size, count - start)))
    return sorted(found, key=lambda one: one[1])


def _write(path: Path, done: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """The figures of all chunks that are done, written and returned."""
    found = {}
    for name in known:
        chunks = [one for key, one in done.items() if key.startswith(f"{name}:")]
        if chunks:
            found[name] = {
                **summed(chunks),
                "planned": known[name].cases,
                "bound_mib": known[name].megabytes,
            }
    result = _result(found)
    write_json(path, result)
    return result


def _result(found: dict[str, Any]) -> dict[str, Any]:
    import hypothesis
    import keras
    import PIL

    return {
        "cases": sum(row["cases"] for row in found.values()),
        "faults": sum(len(row["faults"]) for row in found.values()),
        "targets": found,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {
            "python": platform.python_version(),
            "hypothesis": hypothesis.__version__,
            "keras": keras.__version__,
            "pillow": PIL.__version__,
        },
    }


def _print(found: dict[str, Any]) -> None:
    table = Table(title="Hostile files")
    columns = ("reader", "cases", "read", "refused", "s", "slowest s", "MiB", "bound")
    for name in (*columns, "faults"):
        table.add_column(name, justify="left" if name == "reader" else "right")
    for name, row in found.items():
        table.add_row(
            name,
            str(row["cases"]),
            str(row["read"]),
            str(sum(row["refused"].values())),
            f"{row['seconds']:.0f}",
            f"{row['slowest_case_seconds']:.2f}",
            f"{row['peak_case_mib']:.0f}",
            str(row["bound_mib"]),
            str(len(row["faults"])),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
