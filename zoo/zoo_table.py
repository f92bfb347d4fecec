"""The zoo as a table, from configurations and records."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_explainer.errors import ZooError, did_you_mean

from .zoo_config import CONFIGS, ZooConfig
from .zoo_record import RECORDS, UNVERIFIED, ZooRecord, config_sha256

COLUMNS = (
    "CNN",
    "kind",
    "parameters",
    "image",
    "tap",
    "map",
    "targets",
    "weights' licence",
    "status",
    "cut differs by",
    "export differs by",
    "seconds",
    "GiB",
)


@dataclass(frozen=True)
class ZooRow:
    """One CNN: its configuration, and what was measured of it if it was."""

    config: ZooConfig
    record: ZooRecord | None
    is_current: bool

    @property
    def status(self) -> str:
        """'passed', 'failed', or 'unverified': never, or with another configuration."""
        if self.record is None or not self.is_current:
            return UNVERIFIED
        return self.record.status

    def figure(self, name: str) -> Any:
        """A measured figure, or 'unverified'."""
        if self.record is None or not self.is_current:
            return UNVERIFIED
        value = self.record.figures.get(name)
        return UNVERIFIED if value is None else value

    def _difference(self, stage: str) -> str:
        value = self.figure(f"{stage}_difference")
        return value if isinstance(value, str) else "0" if not value else f"{value:.0e}"

    def cells(self) -> tuple[str, ...]:
        """The row as texts, in the order of `COLUMNS`."""
        config = self.config
        licence = ", ".join(dict.fromkeys(w.licence for w in config.weights))
        return (
            config.name,
            config.family,
            f"{config.parameters / 1e6:.1f} M",
            _joined(config.input_shape[:2], " × "),
            str(self.figure("tap") if config.tap.layer is None else config.tap.layer),
            _joined(self.figure("tap_shape"), " × "),
            _joined(self.figure("targets"), ", "),
            licence or UNVERIFIED,
            self.status + (" (large)" if config.large else ""),
            self._difference("cut"),
            self._difference("export"),
            str(self.figure("seconds")),
            str(self.figure("peak_memory_gib")),
        )


def zoo_rows(
    pattern: str | None = None, configs: Path = CONFIGS, records: Path = RECORDS
) -> list[ZooRow]:
    """The CNNs whose name or kind matches, sorted by name.

    Args:
        pattern: part of a name or kind, or a pattern with `*` and `?`; letter case does
            not matter. None for all.
        configs, records: the folders.

    Raises:
        ZooError: nothing matches; the nearest names are listed.
        ConfigError: a configuration that cannot be used.
    """
    names = ZooConfig.names(configs)
    rows = []
    for name in names:
        config = ZooConfig.read(configs / f"{name}.yaml")
        if pattern is not None and not _matches(pattern, config):
            continue
        record = ZooRecord.read(name, records)
        current = record is not None and (
            record.config_sha256 == config_sha256(name, configs)
        )
        rows.append(ZooRow(config, record, current))
    if not rows:
        raise ZooError(
            f"No CNN of the zoo matches {pattern!r}. "
            f"{did_you_mean(str(pattern), names)}"
        )
    return rows


def markdown(rows: list[ZooRow]) -> str:
    """The table as Markdown, as it stands in docs/zoo.md."""
    lines = [
        "| " + " | ".join(COLUMNS) + " |",
        "|" + " --- |" * len(COLUMNS),
        *("| " + " | ".join(row.cells()) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _matches(pattern: str, config: ZooConfig) -> bool:
    wanted = pattern.lower()
    texts = (config.name.lower(), config.family.lower())
    if any(sign in wanted for sign in "*?["):
        return any(fnmatch.fnmatchcase(text, wanted) for text in texts)
    return any(wanted in text for text in texts)


def _joined(value: Any, between: str) -> str:
    """The entries of a figure; 'unverified' stays as it is."""
    return value if isinstance(value, str) else between.join(map(str, value))
