"""`ZooRecord`: what was measured of a CNN of the zoo, written by `verify` alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from keras_explainer.errors import ZooError
from keras_explainer.files import write_json

from .zoo_config import CONFIGS
from .zoo_entry import ROOT

RECORDS = ROOT / "records"
UNVERIFIED = "unverified"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class ZooRecord:
    """The outcome of one verification.

    Attributes:
        name: of the CNN.
        status: "passed" or "failed".
        date: of the verification, ISO 8601.
        config_sha256: of the configuration's file that was verified.
        weights: what the network's weights were.
        versions: of the software.
        machine: kind of machine: cores, threads used, architecture.
        stages: seconds and figures of each stage, in order.
        figures: what was measured; one that was not is absent.
        error: why it failed, or None.
    """

    name: str
    status: str
    date: str
    config_sha256: str
    weights: str
    versions: dict[str, str]
    machine: dict[str, Any]
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    @classmethod
    def read(cls, name: str, folder: Path = RECORDS) -> ZooRecord | None:
        """The record of a CNN, or None where there is none.

        Raises:
            ZooError: a file that is damaged, or another version's.
        """
        path = folder / f"{name}.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("schema_version") != SCHEMA_VERSION:
                raise ValueError("it is of another version")
            return cls(**content)
        except FileNotFoundError:
            return None
        except (
            OSError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            raise ZooError(
                f"{path} cannot be read ({error}). Delete it and verify {name} again."
            ) from error

    def write(self, folder: Path = RECORDS) -> Path:
        """Writes the record atomically; its path.

        Raises:
            ZooError: the folder cannot be written.
        """
        path = folder / f"{self.name}.json"
        try:
            write_json(path, {"schema_version": SCHEMA_VERSION, **asdict(self)})
        except OSError as error:
            raise ZooError(
                f"{path} cannot be written: {error}. Name another folder (--records)."
            ) from error
        return path

    def is_current(self, versions: dict[str, str], configs: Path = CONFIGS) -> bool:
        """Whether it passed, with this configuration and this Keras and backend."""
        same = ("keras", "backend", "backend_version")
        return (
            self.status == "passed"
            and self.config_sha256 == config_sha256(self.name, configs)
            and all(self.versions.get(key) == versions.get(key) for key in same)
        )


def config_sha256(name: str, folder: Path = CONFIGS) -> str:
    """The sha256 of a configuration's content (not of its line ends)."""
    text = (folder / f"{name}.yaml").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()
