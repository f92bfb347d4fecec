"""A lock file: one process at a time writes what lies beside it."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any, Self

from keras_explainer.errors import KerasExplainerError

logger = logging.getLogger(__name__)


class FileLock:
    """Holds `path` as long as it is open; it ends with the process, however that ends.

    The operating system locks the file (`flock`; on Windows, where there is none, a
    byte range), so that the file of a process that was killed blocks nobody. It holds
    the number of the process, for messages.

    Args:
        path: the lock file; its folder exists.
        what: what is locked, for messages: "The cache runs/a".
        error: the class of the errors.

    Raises:
        KerasExplainerError: of the class `error`: another process holds it (or this
            one, elsewhere), or it cannot be written.
    """

    def __init__(self, path: Path, what: str, error: type[KerasExplainerError]) -> None:
        self.path = path
        self._what = what
        self._error = error
        self._handle: int | None = None
        try:
            while self._handle is None:
                self._handle = self._take()
        except OSError as problem:
            raise error(f"{what}: {problem}.") from problem

    def _take(self) -> int | None:
        """The open and locked file; None if it was removed meanwhile."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(handle):
                raise self._error(
                    f"{self._what} is being written by "
                    f"{owner(self.path)}. Wait for it to end, or choose another folder."
                )
            if not self._is_mine(handle):
                os.close(handle)
                return None
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} {socket.gethostname()}\n".encode())
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _is_mine(self, handle: int) -> bool:
        """Whether the locked file is still the one at the path."""
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Removes the file and lets it go; a second time does nothing."""
        if self._handle is None:
            return
        handle, self._handle = self._handle, None
        try:
            self.path.unlink(missing_ok=True)
        except OSError:  # an open file on Windows: it stays, and blocks nobody
            logger.debug("%s stays", self.path)
        os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file at `path`."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def owner(path: Path) -> str:
    """Which process wrote the lock file at `path`, as text."""
    try:
        number, host = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return "another process"
    return f"process {number[:20]} on {host[:80]}"


def _lock(handle: int) -> bool:
    """Locks an open file without waiting; False if another one has it."""
    try:
        import fcntl
    except ImportError:
        return _lock_bytes(handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        logger.warning("This file system has no locks: write from one process alone.")
    return True


def _lock_bytes(handle: int) -> bool:
    import msvcrt

    try:
        # Far behind the text, which other processes read.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        os.lseek(handle, 0, os.SEEK_SET)
    except OSError:
        return False
    return True
