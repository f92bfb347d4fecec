"""Verifies many CNNs, each in a process of its own, and writes their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from keras_explainer.runs import Progress, current_versions

from .verification import verify_apart
from .zoo_config import CONFIGS, ZooConfig
from .zoo_record import RECORDS, ZooRecord


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
) -> Iterator[ZooRecord]:
    """Verifies one CNN after the other; each record is written as soon as it is there.

    Raises:
        ZooError: a record that cannot be written.
    """
    for done, name in enumerate(names):
        if progress is not None:
            progress("Verifying", done, len(names), {})
        record = verify_apart(name, configs)
        record.write(records)
        if progress is not None:
            progress("Verifying", done + 1, len(names), {})
        yield record
