"""The versions of a served model: folders 1, 2, 3, … beside each other."""

from __future__ import annotations

from pathlib import Path

from keras_explainer.errors import ConfigError, ExportError, whole_number

LARGEST = 2**63 - 1
"""TensorFlow Serving keeps a version in 64 bits."""


def existing_versions(model: Path) -> list[int]:
    """The versions in a model's folder, ascending; none where there is no folder.

    Whatever has a number for its name counts, since TensorFlow Serving would try it.

    Raises:
        ExportError: It is a file, or cannot be read.
    """
    if model.exists() and not model.is_dir():
        raise ExportError(
            f"{model} is a file; an export needs a folder, for its versions."
        )
    try:
        names = [entry.name for entry in model.iterdir()] if model.exists() else []
    except OSError as error:
        raise ExportError(
            f"{model} cannot be read ({error.strerror or error})."
        ) from error
    return sorted(int(n) for n in names if n.isascii() and n.isdecimal())


def free_version(model: Path, wanted: int | None) -> int:
    """The version to write: the one that is wanted, or one more than the last.

    Raises:
        ConfigError: `wanted` is no whole number from 1.
        ExportError: There is such a version; as `existing_versions`.
    """
    taken = existing_versions(model)
    following = max(taken, default=0) + 1
    if wanted is None:
        version = following
    else:
        version = whole_number("version", wanted)
        if version in taken:
            raise ExportError(
                f"{model} has a version {version} already: it is never replaced. The "
                f"next free one is {following}."
            )
    if version > LARGEST:
        raise ConfigError(f"A version is at most {LARGEST}, got {version}.")
    return version
