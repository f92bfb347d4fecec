"""Verifies many CNNs, each in a process of its own, and writes their records."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from keras_explainer.errors import ConfigError
from keras_explainer.runs import Progress, current_versions

from .verification import verify_apart
from .zoo_config import CONFIGS, ZooConfig
from .zoo_record import RECORDS, ZooRecord

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def pending(
    names: Sequence[str] | None = None,
    records: Path = RECORDS,
    resume: bool = False,
    configs: Path = CONFIGS,
) -> list[str]:
    """The CNNs that are to be verified, the smallest first.

    Args:
        names: of the CNNs; None for all.
        records: folder of the records.
        resume: leave out those that passed with this configuration, Keras and backend.
        configs: folder of the configurations.

    Raises:
        ZooError: no such CNN, or a record that cannot be read.
        ConfigError: a configuration that cannot be used.
    """
    chosen = names if names is not None else ZooConfig.names(configs)
    cnns = [ZooConfig.named(name, configs) for name in chosen]
    cnns.sort(key=lambda config: (config.large, config.parameters))
    if resume:
        versions = current_versions()
        cnns = [
            config
            for config in cnns
            if (record := ZooRecord.read(config.name, records)) is None
            or not record.is_current(versions, configs)
        ]
    return [config.name for config in cnns]


def verify_all(
    names: Sequence[str],
    records: Path = RECORDS,
    progress: Progress | None = None,
    configs: Path = CONFIGS,
    workers: int = 1,
) -> Iterator[ZooRecord]:
    """Verifies CNNs, each in a process; each record is written as soon as it is there.

    Args:
        names: of the CNNs.
        records: folder of the records.
        progress: called with what is done, CNNs done, CNNs in all and no figures.
        configs: folder of the configurations.
        workers: CNNs side by side, which share the cores; those that are marked
            `large` come last and one by one, for the memory's sake.

    Raises:
        ConfigError: `workers` is not 1 or more.
        ZooError: a record that cannot be written.
    """
    if workers < 1:
        raise ConfigError(f"workers is a whole number from 1, got {workers}.")
    large = [name for name in names if ZooConfig.named(name, configs).large]
    small = [name for name in names if name not in large]
    done = 0
    if progress is not None:
        progress("Verifying", 0, len(names), {})
    for group, side_by_side in ((small, workers), (large, 1)):
        for record in _verified(group, configs, side_by_side):
            record.write(records)
            done += 1
            if progress is not None:
                progress("Verifying", done, len(names), {})
            yield record


def _verified(names: Sequence[str], configs: Path, workers: int) -> Iterator[ZooRecord]:
    """The records, as they come."""
    with _shared_cores(workers), ThreadPoolExecutor(workers) as pool:
        tasks = [pool.submit(verify_apart, name, configs) for name in names]
        try:
            for task in as_completed(tasks):
                yield task.result()
        finally:
            for task in tasks:
                task.cancel()


@contextmanager
def _shared_cores(workers: int) -> Iterator[None]:
    """Processes that are started meanwhile compute on their share of the cores."""
    if workers == 1:
        yield
        return
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update({name: value or threads for name, value in before.items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
