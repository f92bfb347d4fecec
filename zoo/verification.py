"""Verifies CNNs of the zoo, and makes the records."""

from __future__ import annotations

import datetime
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from keras_explainer.errors import KerasExplainerError
from keras_explainer.runs import Progress, current_versions

from .verification_stages import STAGES, Subject
from .zoo_config import CONFIGS, ZooConfig
from .zoo_record import ZooRecord, config_sha256


def verify(
    name: str,
    *,
    configs: Path = CONFIGS,
    stages: Mapping[str, Callable[[Subject], None]] = STAGES,
    input_shape: tuple[int, int, int] | None = None,
    filters: int | None = None,
    progress: Progress | None = None,
    **arguments: Any,
) -> ZooRecord:
    """Runs all stages on one CNN with random weights, in this process.

    Args:
        name: of the CNN.
        configs: folder of the configurations.
        stages: what is proved, in order.
        input_shape, filters, arguments: for a small check (images of another size, a
            narrower network); its record is not the configuration's.
        progress: called with the name, stages done, stages in all and no figures.

    Returns:
        The record, of a failure too; it is not written.

    Raises:
        ZooError, ConfigError: no such CNN, a configuration that cannot be used.
    """
    config = ZooConfig.named(name, configs)
    measured: dict[str, dict[str, Any]] = {}
    error = None
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        subject = Subject(
            config,
            Path(folder),
            input_shape or config.input_shape,
            arguments,
            filters=filters,
        )
        for done, (stage, run) in enumerate(stages.items()):
            if progress is not None:
                progress(name, done, len(stages), {})
            began = time.perf_counter()
            try:
                run(subject)
            except (KerasExplainerError, ArithmeticError, MemoryError) as problem:
                error = f"{stage}: {' '.join(str(problem).split())}"
                break
            finally:
                seconds = round(time.perf_counter() - began, 1)
                measured[stage] = {"seconds": seconds}
        if progress is not None and error is None:
            progress(name, len(stages), len(stages), {})
        figures = dict(subject.figures)
    figures["seconds"] = round(sum(stage["seconds"] for stage in measured.values()), 1)
    return _record(config.name, config_sha256(name, configs), error, measured, figures)


def verify_apart(name: str, configs: Path = CONFIGS) -> ZooRecord:
    """As `verify`, in a process of its own, whose memory is measured.

    A process that is killed, for want of memory say, gives a failed record.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_measured, name, configs).result()
        except BrokenProcessPool:
            return _record(
                name,
                config_sha256(name, configs),
                "the process was killed, probably for want of memory",
                {},
                {},
            )


def _measured(name: str, configs: Path) -> ZooRecord:
    record = verify(name, configs=configs)
    if (peak := _peak_gib()) is not None:
        record.figures["peak_memory_gib"] = peak
    return record


def _record(
    name: str,
    sha256: str,
    error: str | None,
    stages: dict[str, dict[str, Any]],
    figures: dict[str, Any],
) -> ZooRecord:
    return ZooRecord(
        name=name,
        status="passed" if error is None else "failed",
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        config_sha256=sha256,
        weights="random",
        versions=current_versions(),
        machine={
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
        },
        stages=stages,
        figures=figures,
        error=error,
    )


def _peak_gib() -> float | None:
    """The most memory that this process has held."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kib = peak / 1024 if platform.system() == "Darwin" else peak
    return round(kib / 2**20, 2)
