"""Files written atomically: a reader sees the old file or the new one, never half."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary path beside `path`; moves it there when the block succeeds.

    The data is flushed to disk before the move. If the block raises, nothing is left
    behind and an old file at `path` stays as it was. The temporary name keeps the
    suffixes of `path` (Keras chooses a format by them).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=".tmp-", suffix="".join(path.suffixes[-2:]), dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        # mkstemp makes private files; give the usual permissions instead.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
        _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], replace: bool = False
) -> Iterator[Path]:
    """Gives a temporary folder beside `path`; moves it there when the block succeeds.

    All files are flushed to disk before the move. If the block raises, nothing is left
    behind, nor the parent folders that were made for it.

    Args:
        path: where the folder goes.
        replace: take the place of what is at `path`, which stays there until the new
            folder is complete. On Linux the two are exchanged in one step; elsewhere
            by two moves, the first of which is taken back if the second fails.

    Raises:
        FileExistsError: Something is at `path`, without `replace`; it stays as it was.
    """
    path = Path(path)
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=path.parent))
        old = temporary.with_name(f"{temporary.name}-old")
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with file.open("rb") as written:
                        os.fsync(written.fileno())
                else:
                    _flush_folder(file)
            # mkdtemp makes private folders; give the usual permissions instead.
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o777 & ~umask)
            there = path.exists()
            if there and not replace:  # an empty folder would be replaced
                raise FileExistsError(f"{path} exists.")
            if not (there and _exchange(temporary, path)):
                if there:
                    path.rename(old)
                _move(temporary, path, old)
            _flush_folder(path.parent)
        finally:
            for folder in (temporary, old):
                shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        for folder in made:  # the innermost first; what is not empty stays
            with suppress(OSError):
                folder.rmdir()
        raise


def _move(new: Path, path: Path, old: Path) -> None:
    """Moves a folder to its place; `old` comes back if that fails."""
    try:
        new.rename(path)
    except OSError as error:
        if old.exists():
            old.rename(path)
        elif path.exists():
            raise FileExistsError(f"{path} exists.") from error
        raise


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two names in one step; False where the system has no call for it."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None), "renameat2", None)  # not in every C library
    if call is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    done = call(here, os.fsencode(one), here, os.fsencode(other), exchange)
    return bool(done == 0)


def remove_leftovers(folder: Path) -> None:
    """Removes what writes that were killed left in a folder, which one process has."""
    for path in folder.glob(".tmp-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _flush_folder(folder: Path) -> None:
    """Flushes the names in a folder, where the system can: a move outlives a crash."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):  # some network file systems refuse it
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a UTF-8 file atomically."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes JSON atomically; NaN and infinity are refused (they are no JSON)."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def save_atomically(
    path: str | os.PathLike[str], save: Callable[[Path], object]
) -> None:
    """Calls `save(temporary path)`, then moves the file to `path`."""
    with atomic_path(path) as temporary:
        save(temporary)
