"""`ServedModel`: an exported explainer as a server shall have it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keras_explainer.errors import ConfigError, ExportError, whole_number

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model's folder, its name on the server, and which versions are served.

    Attributes:
        path: Folder with the versions 1, 2, … in it.
        name: On the server; '' for the folder's.
        versions: Those that are served; none for the latest.
        latest: How many of the highest are served, where `versions` are not given.
        labels: {label: version}, such as {"stable": 1}. Versions with labels are
            served.

    Raises:
        ConfigError: A name, version or label that is not accepted.
        ExportError: No such folder, or no such version in it.
    """

    path: Path
    name: str = ""
    versions: Sequence[int] = ()
    latest: int = 1
    labels: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = Path(self.path)
        name = self.name or path.resolve().name
        for what, text in (("model", name), *(("label", text) for text in self.labels)):
            if not _NAME.fullmatch(text):
                raise ConfigError(
                    f"The name of a {what} has letters, digits, '.', '_' and '-'; got "
                    f"{text!r}."
                )
        whole_number("latest", self.latest)
        wanted = {whole_number("version", one) for one in self.versions}
        wanted |= {whole_number("version", one) for one in self.labels.values()}
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "versions", tuple(sorted(wanted)))
        there = self._complete()
        for version in self.versions:
            if version not in there:
                known = ", ".join(map(str, there))
                raise ExportError(
                    f"{path} has no complete version {version}; it has {known}."
                )

    def _complete(self) -> list[int]:
        """The versions that can be loaded, ascending."""
        if not self.path.is_dir():
            raise ExportError(
                f"There is no folder {self.path}: keras-explainer export writes one."
            )
        found = sorted(
            int(entry.name)
            for entry in self.path.iterdir()
            if re.fullmatch(r"[1-9][0-9]*", entry.name)
            and (entry / "saved_model.pb").is_file()
        )
        if not found:
            inside = " It is a version itself: give the folder that holds it."
            version = (self.path / "saved_model.pb").is_file()
            raise ExportError(
                f"{self.path} has no version that can be served (a folder with a "
                f"number for its name and saved_model.pb in it)."
                f"{inside if version else ''}"
            )
        return found

    def unreadable(self) -> Path | None:
        """A file that other users cannot read, if there is one."""
        if os.name != "posix":
            return None
        for path in (self.path, *self.path.rglob("*")):
            needed = 0o005 if path.is_dir() else 0o004
            if path.stat().st_mode & needed != needed:
                return path
        return None
