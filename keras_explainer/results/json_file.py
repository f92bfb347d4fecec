"""`JsonFile`: results that are written to a JSON file and read from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

from keras_explainer import files
from keras_explainer.results.reading import read_json


class JsonFile:
    """What a result with `to_dict` and `from_dict` has besides."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `schema_version`."""
        raise NotImplementedError

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Of `to_dict`."""
        raise NotImplementedError

    def save_json(self, path: str | os.PathLike[str]) -> None:
        """Writes `to_dict()` to a file, atomically.

        Raises:
            OSError: The file cannot be written; an old one stays as it was.
        """
        files.write_json(path, self.to_dict())

    @classmethod
    def load_json(cls, path: str | os.PathLike[str]) -> Self:
        """Of a file that `save_json` wrote.

        Raises:
            DataError: There is no such file, or it holds something else.
        """
        return cls.from_dict(read_json(path))
