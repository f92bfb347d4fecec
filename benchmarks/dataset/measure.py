"""One run of `explain-dataset`, watched from outside."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.dataset.process_tree import ProcessTree
from benchmarks.dataset.standalone_cluster import StandaloneCluster

POINTS = 40
"""Of the course of a job."""
FROM, TO = 0.3, 0.95
"""Start-up and end are apart: between these shares of the part files."""


def measure(
    model: Path,
    images: Path,
    engine: str,
    workers: int,
    rows_per_part: int,
    contributions: bool,
) -> dict[str, Any]:
    """Images a second and memory of a whole job.

    Args:
        model: Folder of the version.
        images: Folder.
        engine: "local" or "spark": then on a cluster of its own, master and workers
            counted too.
        workers, rows_per_part, contributions: See `explain_dataset`.
    """
    command = [sys.executable, "-m", "keras_explainer.cli", "explain-dataset"]
    command += [str(model), "--input", str(images), "--engine", engine]
    command += ["--workers", str(workers), "--rows-per-part", str(rows_per_part)]
    command += ["--threads", "1"]
    command += [] if contributions else ["--no-contributions"]
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        output = Path(place) / "out"
        roots: list[int] = []
        environment = dict(os.environ)
        if engine == "spark":
            cluster = stack.enter_context(StandaloneCluster(Path(place), workers))
            roots += cluster.pids
            environment = cluster.environment
            command += ["--master", cluster.master]
        began = time.time()
        process = subprocess.Popen(
            [*command, "--output", str(output)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with ProcessTree([process.pid, *roots]) as tree:
            _, said = process.communicate()
        ended = time.time()
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: {said[-3000:]}")
        return {
            **_figures(output, tree, began, ended),
            "load": round(os.getloadavg()[0], 1),
        }


def _figures(
    output: Path, tree: ProcessTree, began: float, ended: float
) -> dict[str, Any]:
    from keras_explainer.batch_inference.part_file import read_facts

    parts = sorted(
        (path.stat().st_mtime, path) for path in output.glob("part-*.parquet")
    )
    facts = {path: read_facts(path) for _, path in parts}
    first, last = int(FROM * len(parts)), max(1, int(TO * len(parts)))
    start, end = parts[first - 1][0] if first else began, parts[last - 1][0]
    rows = sum(one.rows for _, path in parts[first:last] if (one := facts[path]))
    one, other = tree.between(start, end)
    middle = [
        sample.mib
        for sample in tree.samples
        if start <= sample.at <= end and sample.mib > 0
    ]
    half = len(middle) // 2
    busy = other.cpu - one.cpu
    seconds = max(end - start, 1e-9)
    return {
        "images": sum(found.rows for found in facts.values() if found),
        "errors": sum(found.errors for found in facts.values() if found),
        "parts": len(parts),
        "bytes_per_image": round(
            sum(path.stat().st_size for _, path in parts)
            / max(1, sum(found.rows for found in facts.values() if found)),
            1,
        ),
        "seconds": round(ended - began, 2),
        "first_part_after_seconds": round(parts[0][0] - began, 2),
        "steady": {
            "images": rows,
            "seconds": round(seconds, 2),
            "images_per_second": round(rows / seconds, 2),
            "cpu_seconds_per_image": round(busy / rows, 5),
            # What it would be if no one else computed: cores times this.
            "images_per_cpu_second": round(rows / max(busy, 1e-9), 2),
            "cores_used": round(busy / seconds, 2),
            "cores_used_by_others": round(
                (other.machine - one.machine - busy) / max(other.at - one.at, 1e-9), 2
            ),
        },
        "memory_mib": {
            "peak": round(max(sample.mib for sample in tree.samples)),
            "largest_process": round(max(sample.largest for sample in tree.samples)),
            "steady_first_half": round(_mean(middle[:half])),
            "steady_second_half": round(_mean(middle[half:])),
        },
        "course": course(
            [(at - began, facts[path].rows) for at, path in parts if facts[path]],
            [(one.at - began, one.mib) for one in tree.samples if one.mib > 0],
        ),
    }


def course(
    parts: list[tuple[float, int]], memory: list[tuple[float, float]]
) -> list[dict[str, float]]:
    """How a job went: speed and memory in `POINTS` equal shares of its part files.

    Args:
        parts: Seconds since the start, and rows, of each part file, in order.
        memory: Seconds since the start, and MiB; at least one.

    Returns:
        Of each share but the first, which has the start-up: `seconds` at its end,
        `images` up to there, `images_per_second` and the most `mib` in it.
    """
    ends = sorted({round(n * len(parts) / POINTS) for n in range(1, POINTS + 1)} - {0})
    found = []
    for before, end in itertools.pairwise(ends):
        start, stop = parts[before - 1][0], parts[end - 1][0]
        inside = [mib for at, mib in memory if start <= at <= stop]
        # A short share may have no look at memory: the nearest is its.
        inside = inside or [min(memory, key=lambda one: abs(one[0] - stop))[1]]
        rows = sum(count for _, count in parts[before:end])
        found.append(
            {
                "seconds": round(stop, 1),
                "images": sum(count for _, count in parts[:end]),
                "images_per_second": round(rows / max(stop - start, 1e-9), 2),
                "mib": round(max(inside)),
            }
        )
    return found


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))
