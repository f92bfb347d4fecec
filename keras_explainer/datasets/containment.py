"""Paths that must stay inside a folder."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from keras_explainer.errors import DataError


def relative_posix(path: str) -> str:
    """`path` in its normal form: relative, '/' between names, no '.' and no '..'.

    Raises:
        DataError: with the reason alone; the caller adds which path it was.
    """
    if not path or any(ord(letter) < 32 for letter in path):
        raise DataError("is empty or contains control characters")
    if "\\" in path:
        raise DataError("contains a backslash: write paths with '/'")
    pure = PurePosixPath(path)
    if pure.is_absolute() or Path(path).is_absolute() or Path(path).drive:
        raise DataError("is an absolute path: write it relative to the folder")
    if ".." in pure.parts:
        raise DataError("leaves the folder or may do so: '..' is not accepted")
    if not pure.parts:
        raise DataError("names no file")
    return pure.as_posix()


def resolve_inside(root: str | os.PathLike[str], path: str) -> Path:
    """The real path of `root / path`; symbolic links must not lead out of `root`.

    The file need not exist. A link that stays inside the folder is accepted.

    Raises:
        DataError: with the reason alone; the caller adds which path it was.
    """
    real_root = Path(os.path.realpath(root))
    real = Path(os.path.realpath(real_root / relative_posix(path)))
    if real == real_root or not real.is_relative_to(real_root):
        raise DataError(
            "is a symbolic link, or lies behind one, that leaves the folder"
        )
    return real
