"""The image files below a folder."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path, PurePosixPath

from keras_explainer.errors import DataError, did_you_mean

from .bad_image import BadImage
from .containment import resolve_inside
from .image_reader import EXTENSIONS

_SKIPPED_FOLDERS = ("__MACOSX",)


def list_images(directory: Path) -> tuple[list[str], list[BadImage]]:
    """Relative paths of the image files, sorted, and what was refused.

    Hidden files and folders (a leading '.') are passed over. Symbolic links out of the
    folder are refused; a link to a file that is listed itself is passed over, so that
    no image is there twice. Links to folders are not followed: those that lead out
    are refused, those that stay inside lead to what is listed anyway. Folders that
    cannot be listed are refused.
    """
    plain: list[str] = []
    links: list[str] = []
    refused: list[BadImage] = []

    def unlisted(error: OSError) -> None:
        path = os.path.relpath(error.filename, directory)
        refused.append(BadImage(path, f"cannot be listed ({error.strerror})"))

    for folder, folders, names in os.walk(directory, onerror=unlisted):
        for name in folders:
            here = Path(folder, name)
            if _hidden(name) or not here.is_symlink():
                continue
            relative = here.relative_to(directory).as_posix()
            _inside(directory, relative, refused)
        folders[:] = [n for n in folders if not _hidden(n)]
        for name in names:
            if _hidden(name) or not name.lower().endswith(EXTENSIONS):
                continue
            path = Path(folder, name)
            relative = path.relative_to(directory).as_posix()
            (links if path.is_symlink() else plain).append(relative)
    if not links:
        return sorted(plain), sorted(refused, key=lambda entry: entry.path)
    taken = {resolve_inside(directory, file) for file in plain}
    for file in sorted(links):
        real = _inside(directory, file, refused)
        if real is not None and real not in taken:
            taken.add(real)
            plain.append(file)
    return sorted(plain), sorted(refused, key=lambda entry: entry.path)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED_FOLDERS


def _inside(directory: Path, relative: str, refused: list[BadImage]) -> Path | None:
    try:
        return resolve_inside(directory, relative)
    except DataError as error:
        refused.append(BadImage(relative, str(error)))
        return None


def top_folder(file: str) -> str | None:
    """The first folder of a relative path; None for a file that is in none."""
    parts = PurePosixPath(file).parts
    return parts[0] if len(parts) > 1 else None


def files_in_folder(files: list[str], folder: str, also: list[str]) -> list[int]:
    """Indices of the files below a sub-folder.

    Args:
        files: relative paths.
        folder: the sub-folder's relative path, or its own name if only one sub-folder
            has that name.
        also: further names that the caller accepts, for the error message.

    Raises:
        DataError: no such sub-folder, or several of that name.
    """
    below: dict[str, list[int]] = defaultdict(list)
    for index, file in enumerate(files):
        for parent in PurePosixPath(file).parents:
            if parent.name:
                below[parent.as_posix()].append(index)
    wanted = folder.strip("/")
    if wanted in below:
        return below[wanted]
    same_name = sorted(path for path in below if PurePosixPath(path).name == wanted)
    if len(same_name) == 1:
        return below[same_name[0]]
    if same_name:
        raise DataError(
            f"Category {folder!r} is the name of several sub-folders: "
            f"{', '.join(same_name)}. Give the whole relative path."
        )
    choices = sorted({*also, *(PurePosixPath(path).name for path in below)})
    raise DataError(
        f"There is no category {folder!r}. {did_you_mean(folder, choices)}"
        if choices
        else f"There is no category {folder!r}: there are neither sub-folders nor a "
        "column 'name' or 'wnid' in a parts.csv. Leave category out to take all images."
    )
