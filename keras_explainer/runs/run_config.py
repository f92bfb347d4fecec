"""Everything that a run is made from: what it was asked for, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keras_explainer.errors import ConfigError, RunError
from keras_explainer.runs.config_reading import check_instance, read_config, to_json
from keras_explainer.runs.data_config import DataConfig
from keras_explainer.runs.explainer_config import ExplainerConfig
from keras_explainer.runs.learning_config import LearningConfig
from keras_explainer.runs.run_facts import RunFacts
from keras_explainer.runs.versions import current_versions

SCHEMA_VERSION = 1
STATUSES = ("new", "learning", "complete", "diverged")
# What may change between a run's beginning and its end without changing its result.
_PLACES = {
    "teacher": ("weights", "path"),
    "data": ("directory", "parts_csv", "on_bad"),
    "explainer": (),
    "learning": ("cache_dir",),
}


@dataclass(frozen=True)
class RunConfig:
    """The content of a run folder's `config.json`.

    Args:
        teacher: `teacher.source`, from which `Teacher.from_source` makes it again; None
            for a teacher that the caller hands over each time.
        data: the images.
        explainer: the explainer.
        learning: how it learns.
        facts: what teacher and images were when learning began; None before.
        versions: of the software, see `current_versions`.
        status: "new", "learning" (begun and not ended), "complete" or "diverged" (the
            loss became NaN or infinite; the weights of the last good epoch are kept).
        message: why it diverged.
        schema_version: of this form.

    Raises:
        ConfigError: values that are not accepted.
    """

    teacher: dict[str, Any] | None
    data: DataConfig
    explainer: ExplainerConfig = field(default_factory=ExplainerConfig)
    learning: LearningConfig = field(default_factory=LearningConfig)
    facts: RunFacts | None = None
    versions: dict[str, Any] = field(default_factory=current_versions)
    status: str = "new"
    message: str | None = None
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        check_instance(self, "config")
        if self.status not in STATUSES:
            raise ConfigError(
                f"config.status must be one of {', '.join(STATUSES)}, got "
                f"{self.status!r}."
            )

    @property
    def epochs(self) -> int:
        """Epochs that are asked for."""
        return self.learning.epochs or self.explainer.recipe.epochs

    @property
    def batch_size(self) -> int:
        """Images in a step."""
        return self.learning.batch_size or self.explainer.recipe.batch_size

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values; `from_dict` takes them back."""
        return to_json(self)

    @classmethod
    def from_dict(cls, values: Any, source: str = "config.json") -> RunConfig:
        """Reads what `to_dict` gave, strictly.

        Args:
            values: what JSON gave.
            source: where it was read, for messages.

        Raises:
            RunError: another version's form, unknown or missing names, other types.
        """
        if not isinstance(values, Mapping) or "schema_version" not in values:
            raise RunError(
                f"{source} is no run's configuration: it has no schema_version. Give "
                "the folder that --out named when the explainer was learned."
            )
        version = values["schema_version"]
        made_with = "another version"
        if isinstance(values.get("versions"), Mapping):
            made_with = str(values["versions"].get("keras_explainer", made_with))
        if version != SCHEMA_VERSION:
            newer = isinstance(version, int) and version > SCHEMA_VERSION
            fix = (
                "Upgrade keras_explainer to read it."
                if newer
                else "Learn it again with this version."
            )
            raise RunError(
                f"{source} has schema version {version!r}, made with keras_explainer "
                f"{made_with}; this version reads {SCHEMA_VERSION}. {fix}"
            )
        try:
            return read_config(cls, values, "config")
        except ConfigError as error:
            raise RunError(
                f"{source} cannot be used: {error} It was made with keras_explainer "
                f"{made_with}: use that version, or learn the run again."
            ) from error

    def differences(self, other: RunConfig) -> list[str]:
        """Settings by which the two would learn something else, as text.

        Places of files, which may be moved, are left out: their content is compared by
        hashes.
        """
        found = []
        mine, theirs = self.to_dict(), other.to_dict()
        mine["learning"] |= {"epochs": self.epochs, "batch_size": self.batch_size}
        theirs["learning"] |= {"epochs": other.epochs, "batch_size": other.batch_size}
        for section, places in _PLACES.items():
            before, after = _flat(mine[section]), _flat(theirs[section])
            for name in sorted({*before, *after} - {*places}):
                pair = before.get(name), after.get(name)
                if pair[0] != pair[1]:
                    found.append(f"{section}.{name} {pair[0]!r}, not {pair[1]!r}")
        return found


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, dict):
        return {prefix.rstrip("."): values}
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.")
    return flat
