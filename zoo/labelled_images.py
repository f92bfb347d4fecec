"""Images with class numbers, for teachers that learn to tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.datasets import ImageFolder, ImageSubset
from keras_explainer.datasets.views import view_images
from keras_explainer.errors import DataError
from keras_explainer.teachers.preprocessing import Preprocessing

NEGATIVES = "negatives"
CROP = (0.6, 1.0)
"""Side of a random crop, as a share of the image's."""


@dataclass(frozen=True)
class LabelledImages:
    """Rows of one or more image subsets, with their class numbers.

    Args:
        parts: the subsets.
        labels: class number of each row of all parts, in order.
    """

    parts: tuple[ImageSubset, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """uint8 images of some rows, in their order."""
        ends = np.cumsum([len(part) for part in self.parts])
        found: dict[int, np.ndarray] = {}
        for number, part in enumerate(self.parts):
            begin = int(ends[number]) - len(part)
            mine = np.flatnonzero((rows >= begin) & (rows < ends[number]))
            if len(mine):
                read = part.images(rows[mine] - begin)
                found.update(zip(mine.tolist(), read, strict=True))
        return np.stack([found[place] for place in range(len(rows))])


@dataclass(frozen=True)
class Classes:
    """Class names with their train and test images."""

    names: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages
    content_hash: str


def read_classes(
    data: Path,
    *,
    image_size: tuple[int, int],
    category: str | None = None,
    negatives: Path | None = None,
    test_share: float = 0.2,
    split_seed: int = 0,
    progress: Any = None,
) -> Classes:
    """The classes of a folder, or one category against all that it is not.

    Args:
        data: folder of images with class sub-folders or a part table.
        image_size: (height, width).
        category: of a single-category teacher; None for all categories.
        negatives: folder of images of the other class; without it the other categories.
        test_share, split_seed: see `ImageFolder`.
        progress: called with files done and files in all.

    Raises:
        DataError: fewer than two classes, or a class without images to learn from or to
            measure on; the message names them.
    """
    shared: dict[str, Any] = {
        "image_size": image_size,
        "test_share": test_share,
        "seed": split_seed,
    }
    folders = [ImageFolder(data, category=category if negatives else None, **shared)]
    chosen: set[str] = set()
    if category is not None and negatives is None:
        chosen = set(ImageFolder(data, category=category, **shared).files)
    if negatives is not None:
        folders.append(ImageFolder(negatives, **shared))
    sides: dict[str, list[tuple[ImageSubset, list[str | None]]]] = {
        "train": [],
        "test": [],
    }
    for number, folder in enumerate(folders):
        for side, parts in sides.items():
            part = getattr(folder, side)
            part.check(progress)
            labels = list(part.labels)
            if number == 1:
                labels = [NEGATIVES] * len(part)
            elif category is not None and negatives is not None:
                labels = [category] * len(part)
            elif category is not None:
                labels = [
                    category if file in chosen else NEGATIVES for file in part.files
                ]
            parts.append((part, labels))
    names = _names(sides, category, folders[0])
    numbers = {name: number for number, name in enumerate(names)}
    made = {
        side: LabelledImages(
            tuple(part for part, _ in parts),
            np.asarray(
                [numbers[str(x)] for _, labels in parts for x in labels], "int32"
            ),
        )
        for side, parts in sides.items()
    }
    for side, use in (("train", "learn from"), ("test", "measure on")):
        counts = np.bincount(made[side].labels, minlength=len(names))
        if empty := [names[i] for i in np.flatnonzero(counts == 0)]:
            raise DataError(
                f"Classes without images to {use}: {', '.join(empty)}. Add images, or "
                "change the share that is held out (--test-share)."
            )
    hashes = [part.content_hash for part, _ in sides["train"]]
    return Classes(names, made["train"], made["test"], "+".join(hashes))


def _names(sides: Any, category: str | None, folder: ImageFolder) -> tuple[str, ...]:
    if category is not None:
        names = [category, NEGATIVES]
        found = {x for _, labels in sides["train"] for x in labels}
        if NEGATIVES not in found:
            raise DataError(
                f"{folder.directory} has images of {category} only: give a folder of "
                "images without it (--negatives)."
            )
        return tuple(names)
    if any(label is None for label in folder.labels):
        raise DataError(
            f"{folder.directory} has images of no class: put each class in a "
            "sub-folder, or name it in parts.csv; for one class against others give "
            "--category and --negatives."
        )
    if len(folder.categories) < 2:
        raise DataError(
            f"{folder.directory} has one class ({', '.join(folder.categories)}): a "
            "teacher tells at least two apart. Give --category and --negatives."
        )
    return tuple(folder.categories)


class TrainingImages(keras.utils.PyDataset):
    """One epoch of preprocessed, randomly cropped and mirrored images with classes.

    What a batch holds depends on seed and epoch alone, so that an interrupted fit goes
    on with the same ones. Classes weigh the same in all.

    Args:
        images: what is learned from.
        preprocessing: of the network.
        batch_size: images per batch.
        seed: of order and crops.
        epoch: its number.
    """

    def __init__(
        self,
        images: LabelledImages,
        preprocessing: Preprocessing,
        batch_size: int,
        seed: int,
        epoch: int,
    ) -> None:
        super().__init__()
        self._images, self._preprocess = images, preprocessing
        self._size, self._seed, self._epoch = batch_size, seed, epoch
        counts = np.bincount(images.labels)
        self._weights = len(images) / (len(counts) * np.maximum(counts, 1))
        self._order = np.random.default_rng([seed, epoch]).permutation(len(images))

    def __len__(self) -> int:
        return -(-len(self._images) // self._size)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        rows = self._order[index * self._size : (index + 1) * self._size]
        random = np.random.default_rng([self._seed, self._epoch, index])
        side = random.uniform(*CROP, len(rows))
        boxes = np.stack(
            [
                random.uniform(0, 1, len(rows)) * (1 - side),
                random.uniform(0, 1, len(rows)) * (1 - side),
                side,
                side,
                random.integers(0, 2, len(rows)),
            ],
            axis=-1,
        ).astype("float32")
        images = view_images(self._images.images(rows), boxes[:, None])[:, 0]
        labels = self._images.labels[rows]
        return prepared(self._preprocess, images), labels, self._weights[labels]


def prepared(preprocessing: Preprocessing, images: np.ndarray) -> np.ndarray:
    """Images as a network's first layer takes them, as an array."""
    return np.asarray(keras.ops.convert_to_numpy(preprocessing(images)))
