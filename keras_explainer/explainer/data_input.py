"""Turns what a user hands to `fit` or `predict` into features."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from keras import ops

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.image_array import ImageArray
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.datasets.views import ViewSpec, view_images
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.teachers import Teacher

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CacheOptions:
    """Where and how features are cached.

    Args:
        directory: folder for memory-mapped files; None keeps features in memory.
        dtype: "float32" or "float16".
        key: identifies the content of a `tf.data` dataset, `PyDataset` or generator,
            which cannot be hashed; without it these are not cached.
    """

    directory: str | os.PathLike[str] | None = None
    dtype: str = "float32"
    key: str | None = None


def image_source(data: Any, teacher: Teacher) -> ImageSource | None:
    """The images of an array or image set; None for something to iterate over."""
    if ops.is_tensor(data):
        data = ops.convert_to_numpy(data)
    if isinstance(data, list | tuple) and len(data) and hasattr(data[0], "shape"):
        data = np.stack([np.asarray(image) for image in data])
    if isinstance(data, np.ndarray):
        teacher.check_images(data)
        return ImageArray(data, any_values=True)
    if hasattr(data, "content_hash") and hasattr(data, "batches"):
        return data
    return None


def cached_features(
    data: Any,
    teacher: Teacher,
    views: ViewSpec,
    options: CacheOptions,
    progress: Progress | None = None,
    batch_size: int = 32,
) -> FeatureCache | FeatureStream:
    """A cache for arrays, image sets and keyed datasets; a stream for other datasets.

    Raises:
        DataError: what cannot be read as images.
    """
    if isinstance(data, FeatureCache):
        return data
    source = image_source(data, teacher)
    if source is None:
        if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
            raise DataError(
                "Images are an array (n, height, width, channels), an image folder's "
                f"subset, a tf.data dataset, a PyDataset or a FeatureCache; got "
                f"{type(data).__name__}."
            )
        if options.key is None:
            return FeatureStream(data, teacher, views)
        source = cast(ImageSource, _KeyedDataset(data, options.key, teacher))
    return FeatureCache.build(
        teacher,
        source,
        views,
        directory=options.directory,
        dtype=options.dtype,
        batch_size=batch_size,
        progress=progress,
    )


class FeatureStream:
    """Features of a dataset that is not cached: computed again in each epoch.

    Args:
        data: a `tf.data.Dataset`, `PyDataset` or other iterable of image batches
            `(n, H, W, C)`, or of tuples whose first element is that. It must give the
            same number of batches each time that it is iterated.
        teacher: whose features.
        views: of the images; drawn anew in each epoch.
    """

    def __init__(self, data: Any, teacher: Teacher, views: ViewSpec) -> None:
        if iter_once(data):
            raise DataError(
                "A generator can be read only once. Give a tf.data dataset or a "
                "PyDataset, or a cache_key so that it is read once and kept."
            )
        self.data = data
        self.teacher = teacher
        self.views = views
        self.steps = _length(data)
        logger.warning(
            "This dataset is not cached: the teacher runs again in every epoch. Give a "
            "cache_key to compute its features once."
        )

    def sample(self, images: int) -> FeatureCache:
        """The features of the first batches, up to about `images` images."""
        parts: list[tuple[dict[str, Any], dict[str, Any]]] = []
        count = 0
        for part in self._batches(0):
            parts.append(part)
            count += len(part[0]["features"])
            if count >= images:
                break
        if not parts:
            raise DataError("The dataset gives no images.")
        return FeatureCache(
            np.concatenate([x["features"] for x, _ in parts]),
            {
                name: np.concatenate([y[name] for _, y in parts])
                for name in self.teacher.targets
            },
            np.concatenate([x["boxes"] for x, _ in parts]),
        )

    def forever(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Batches, epoch after epoch."""
        epoch = 0
        while True:
            yield from self._batches(epoch)
            epoch += 1

    def once(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Batches of one pass."""
        yield from self._batches(0)

    def _batches(self, epoch: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        row = epoch * 1_000_003
        for images in image_batches(self.data):
            boxes = self.views.boxes(row, row + len(images))
            row += len(images)
            pictures = view_images(images, boxes)
            tap, targets = self.teacher.extract(
                pictures.reshape(-1, *pictures.shape[2:])
            )
            shape = boxes.shape[:2]
            x = {"features": tap.reshape(*shape, *tap.shape[1:]), "boxes": boxes}
            yield (
                x,
                {
                    name: values.reshape(*shape, *values.shape[1:])
                    for name, values in targets.items()
                },
            )


class _KeyedDataset:
    """Any dataset that the user gave a key, read once, as an image source."""

    bad: tuple[Any, ...] = ()

    def __init__(self, data: Any, key: str, teacher: Teacher) -> None:
        batches = list(image_batches(data))
        if not batches:
            raise DataError("The dataset gives no images.")
        self._images = np.concatenate(batches)
        teacher.check_images(self._images)
        self.content_hash = hashlib.sha256(
            f"{key}:{self._images.shape}:{self._images.dtype}".encode()
        ).hexdigest()

    @property
    def image_shape(self) -> tuple[int, ...]:
        return self._images.shape[1:]

    def __len__(self) -> int:
        return len(self._images)

    def batches(self, batch_size: int, indices: Any = None) -> Iterator[np.ndarray]:
        rows = np.arange(len(self)) if indices is None else np.asarray(indices)
        for start in range(0, len(rows), batch_size):
            yield self._images[rows[start : start + batch_size]]


def image_batches(data: Any) -> Iterator[np.ndarray]:
    """Batches of images `(n, H, W, C)` from a dataset, one pass."""
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        steps = _length(data)
        iterator: Iterable[Any] = (data[index] for index in range(steps or 0))
    else:
        iterator = data
    for batch in iterator:
        images = batch[0] if isinstance(batch, list | tuple) else batch
        if isinstance(images, dict):
            raise DataError(
                f"A batch is a dict with keys {', '.join(map(str, images))}; images "
                "are expected, or a tuple whose first element they are."
            )
        images = ops.convert_to_numpy(images)
        if images.ndim != 4:
            raise DataError(
                "A dataset gives batches of images (n, height, width, channels); got "
                f"shape {images.shape}. Is it batched?"
            )
        yield images


def iter_once(data: Any) -> bool:
    """Whether `data` is an iterator, which cannot be started again."""
    return hasattr(data, "__next__")


def _length(data: Any) -> int | None:
    if hasattr(data, "num_batches"):
        count = data.num_batches
        return None if count is None else int(count)
    try:
        count = len(data)
    except TypeError:
        return None
    if count < 0:
        raise ConfigError("An endless dataset needs .take(batches).")
    return int(count)
