"""Files that a command writes where the user says."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from keras_explainer import files
from keras_explainer.errors import ConfigError


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes JSON atomically.

    Raises:
        ConfigError: it cannot be written there.
    """
    try:
        files.write_json(path, value)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}.") from error


def make_folder(path: Path) -> None:
    """Makes a folder.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"The folder {path} cannot be made: {error}.") from error


def picture_names(files: Sequence[Path]) -> list[str]:
    """A name for the picture of each file, all different (also in letter case)."""
    names: list[str] = []
    taken = {"explanations.json"}
    for file in files:
        name, number = f"{file.stem}.png", 1
        while name.lower() in taken:
            number += 1
            name = f"{file.stem}-{number}.png"
        taken.add(name.lower())
        names.append(name)
    return names


def save_picture(picture: Image, path: Path) -> None:
    """Writes a picture as PNG, atomically.

    Raises:
        ConfigError: it cannot be written there.
    """
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    try:
        files.write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}.") from error
