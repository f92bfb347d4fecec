"""Writes drawn images as a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from keras_explainer.datasets.part_table import PartTable
from keras_explainer.errors import DataError
from keras_explainer.files import atomic_path

from .creature_images import CreatureImages


def write_folder(
    path: Path, batches: Iterable[CreatureImages], train: int, start: int
) -> Path:
    """Images as `images/<number>.png`, and `parts.csv` when all are written.

    Args:
        path: the folder.
        batches: the images in order.
        train: how many of the first are train images.
        start: number of the first image, in its file's name.

    Raises:
        DataError: the folder has a table already or cannot be written.
    """
    table = path / "parts.csv"
    if table.exists():
        raise DataError(f"{path} has a parts.csv already: give another folder.")
    files: list[str] = []
    names: list[str] = []
    centres, boxes = [], []
    part_names: tuple[str, ...] = ()
    try:
        (path / "images").mkdir(parents=True, exist_ok=True)
        for batch in batches:
            part_names = batch.part_names
            for image in batch.images:
                files.append(f"images/{start + len(files):06d}.png")
                Image.fromarray(image).save(path / files[-1])
            names += batch.label_names
            centres.append(batch.centres)
            boxes.append(batch.boxes)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}") from error
    every = np.concatenate(boxes)
    rows = PartTable(
        files=tuple(files),
        parts=part_names,
        centres=np.concatenate(centres),
        sizes=every[..., 2:] - every[..., :2],
        names=tuple(names),
        splits=("train",) * train + ("test",) * (len(files) - train),
    )
    with atomic_path(table) as temporary:
        rows.write(temporary)
    return path
