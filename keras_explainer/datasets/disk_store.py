"""Features in memory-mapped files, written batch by batch; resumable."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer import files
from keras_explainer.datasets.feature_store import SCHEMA, FeatureStore
from keras_explainer.errors import CacheError
from keras_explainer.file_lock import FileLock

_UNREADABLE = (ValueError, LookupError, TypeError, OverflowError, RecursionError)


class DiskStore(FeatureStore):
    """Memory-mapped files, written on with each batch; resumable."""

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]],
        dtype: str,
        directory: Path,
        key: str,
    ) -> None:
        super().__init__(shapes, dtype)
        self.directory: Path = directory
        self.key = key
        self._lock: FileLock | None = None

    def __enter__(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            known = self._read_state()
            if known is not None and known["done"] == self.count:
                self._open("r", known)
                return
            self._lock = FileLock(
                self.directory / "lock", f"The cache {self.directory}", CacheError
            )
            try:
                files.remove_leftovers(self.directory)
                # Another process may have written in between.
                known = self._read_state()
                self._open("r+" if known is not None else "w+", known)
            except BaseException:
                self._release()
                raise
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if self._lock is None:
            return
        self._release()
        if isinstance(error, OSError):
            raise self._failed(error) from error
        if kind is None:
            # Learning only reads: a stray write would be an error.
            self._open("r", None)

    def after_batch(self) -> None:
        for array in self.arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        state = {
            "schema": SCHEMA,
            "key": self.key,
            "done": self.done,
            "lost": self.lost,
            "total": self.total,
        }
        files.write_json(self.directory / "state.json", state)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.npy"

    def _open(self, mode: Any, known: dict[str, Any] | None) -> None:
        if known is not None:
            self.done, self.lost, self.total = (
                known["done"],
                known["lost"],
                known["total"],
            )
        if mode == "w+":
            self._create()
            return
        for name, shape in self.shapes.items():
            # Reading refuses a file that is too short; writing would lengthen it.
            array = self._open_checked(name, "r", shape)
            if mode != "r":
                array = self._open_checked(name, mode, shape)
            self.arrays[name] = array

    def _create(self) -> None:
        try:
            for name, shape in self.shapes.items():
                self.arrays[name] = np.lib.format.open_memmap(
                    self._path(name), "w+", self.dtype_of(name), shape
                )
                _take_room(self._path(name))
        except OSError:
            # What fitted would only fill the disk.
            self.arrays.clear()
            for name in self.shapes:
                self._path(name).unlink(missing_ok=True)
            raise

    def _open_checked(self, name: str, mode: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            # Not `np.load`, which would look for zip files and pickles.
            array = np.lib.format.open_memmap(self._path(name), mode)
        except Exception as error:
            # A damaged header is parsed as Python's literals, with all of its errors.
            raise self._damaged(f"{name}.npy cannot be read ({error})") from error
        if array.shape != shape or array.dtype != self.dtype_of(name):
            raise self._damaged(
                f"{name}.npy holds {array.dtype} {array.shape}, expected "
                f"{self.dtype_of(name)} {shape}"
            )
        return array

    def _read_state(self) -> dict[str, Any] | None:
        path = self.directory / "state.json"
        if not path.exists():
            return None
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            fits = state["schema"] == SCHEMA and state["key"] == self.key
            fits = fits and type(state["done"]) is int
            fits = fits and 0 <= state["done"] <= self.count
            for name in ("lost", "total"):
                state[name] = float(state[name])
                fits = fits and 0 <= state[name] < math.inf
        except _UNREADABLE as error:
            raise self._damaged(f"state.json cannot be read ({error})") from error
        if not fits:
            raise self._damaged("state.json is that of another cache")
        return state

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _damaged(self, what: str) -> CacheError:
        return CacheError(
            f"The cache {self.directory} is damaged: {what}. Remove that folder; it "
            "will be computed anew."
        )

    def _failed(self, error: OSError) -> CacheError:
        return CacheError(
            f"The cache {self.directory} cannot be written: {error}. Give it another "
            "place, use dtype 'float16', or fewer views."
        )


def _take_room(path: Path) -> None:
    """Allocates a sparse file's blocks: a disk that fills up later kills by SIGBUS."""
    with path.open("rb+") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
