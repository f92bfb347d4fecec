"""Features in memory-mapped files, written batch by batch; resumable."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer import files
from keras_explainer.datasets.feature_store import SCHEMA, FeatureStore
from keras_explainer.errors import CacheError


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
        self._lock = directory / "lock"
        self._locked = False

    def __enter__(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            known = self._read_state()
            if known is not None and known["done"] == self.count:
                self._open("r", known)
                return
            self._take_lock()
            try:
                # Another process may have written in between.
                known = self._read_state()
                self._open("r+" if known is not None else "w+", known)
            except BaseException:
                self._release()
                raise
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if not self._locked:
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
            array = np.load(self._path(name), mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
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
            state = json.loads(path.read_text())
            fits = state["schema"] == SCHEMA and state["key"] == self.key
            fits = fits and 0 <= int(state["done"]) <= self.count
            state["lost"], state["total"] = float(state["lost"]), float(state["total"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"state.json cannot be read ({error})") from error
        if not fits:
            raise self._damaged("state.json is that of another cache")
        return state

    def _take_lock(self) -> None:
        for _ in range(2):
            try:
                handle = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                owner = self._owner()
                if owner is None or _is_running(owner):
                    raise CacheError(
                        f"The cache {self.directory} is being written by process "
                        f"{owner}. Wait for it, or remove {self._lock} if it is gone."
                    ) from None
                self._lock.unlink(missing_ok=True)
                continue
            os.write(handle, str(os.getpid()).encode())
            os.close(handle)
            self._locked = True
            return
        raise CacheError(f"The cache {self.directory} is being written.")

    def _owner(self) -> int | None:
        try:
            text = self._lock.read_text()
        except OSError:
            return None
        return int(text) if re.fullmatch(r"\d+", text) else None

    def _release(self) -> None:
        self._lock.unlink(missing_ok=True)
        self._locked = False

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


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _take_room(path: Path) -> None:
    """Allocates a sparse file's blocks: a disk that fills up later kills by SIGBUS."""
    with path.open("rb+") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
