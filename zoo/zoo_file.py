"""`ZooFile`: a file of weights that is known by its hash, shipped or hosted."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keras_explainer.errors import ZooError
from keras_explainer.teachers.fingerprint import file_sha256

CACHE_VARIABLE = "KERAS_EXPLAINER_CACHE"
"""Environment variable that names the folder of downloaded files."""
SCHEMES = ("https", "file")
"""What a URL may begin with."""


@dataclass(frozen=True)
class ZooFile:
    """A model file and where to get it.

    Args:
        name: of the file, without folders.
        sha256: of its content, 64 hexadecimal digits: nothing else is ever loaded.
        url: where it can be downloaded, https; None for one that is shipped.

    Raises:
        ZooError: values that are not accepted.
    """

    name: str
    sha256: str
    url: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(
            r"[A-Za-z0-9][A-Za-z0-9_.-]*\.(keras|weights\.h5)", self.name
        ):
            raise ZooError(
                f"{self.name!r} is no file of the zoo: a name without folders that "
                "ends in .keras or .weights.h5."
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ZooError(
                f"{self.name}: a sha256 has 64 hexadecimal digits, got {self.sha256!r}."
            )
        if self.url is not None and urlsplit(self.url).scheme not in SCHEMES:
            raise ZooError(f"{self.name}: an https address is needed, got {self.url}.")

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ZooFile:
        """The file that a record names (`file`, `sha256`, and `url` if hosted)."""
        missing = [name for name in ("file", "sha256") if name not in record]
        if missing:
            raise ZooError(f"A record of the zoo lacks {' and '.join(missing)}.")
        return cls(str(record["file"]), str(record["sha256"]), record.get("url"))

    def fetch(self, folder: Path) -> Path:
        """Path of the file, its hash checked; it is downloaded if need be.

        Args:
            folder: where a shipped file lies.

        Raises:
            ZooError: it is not there and cannot be downloaded, or has another hash.
        """
        shipped = folder / self.name
        if shipped.is_file():
            return self._checked(shipped, "Install keras_explainer again.")
        if self.url is None:
            raise ZooError(
                f"{shipped} is not there, and no address is known for it. Install "
                "keras_explainer again."
            )
        cached = cache_folder() / f"{self.sha256[:16]}-{self.name}"
        if not cached.is_file():
            self._download(self.url, cached)
        return self._checked(cached, "Delete it, to have it downloaded again.")

    def _checked(self, path: Path, fix: str) -> Path:
        found = file_sha256(path)
        if found != self.sha256:
            raise ZooError(
                f"{path} is not the file that was published: its sha256 is {found}, "
                f"not {self.sha256}. {fix}"
            )
        return path

    def _download(self, url: str, target: Path) -> None:
        """Downloads to a folder of its own; moved in place when the hash is right."""
        import keras

        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(
                prefix=".tmp-", dir=target.parent
            ) as folder:
                path = keras.utils.get_file(
                    self.name,
                    url,
                    cache_dir=folder,
                    file_hash=self.sha256,
                    hash_algorithm="sha256",
                )
                os.replace(path, target)
        # Keras raises a bare Exception for an address that does not answer.
        except Exception as error:
            raise ZooError(f"{self.name} cannot be had from {url}: {error}") from error


def cache_folder() -> Path:
    """Where downloaded files are kept: KERAS_EXPLAINER_CACHE, or beside Keras' own."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return Path(home) / "keras_explainer"
