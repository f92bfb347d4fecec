"""Turns what a user hands to `fit` or `predict` into features."""

from __future__ import annotations

import hashlib
import itertools
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
        shapes = {tuple(image.shape) for image in data if hasattr(image, "shape")}
        if len(shapes) != 1 or not all(hasattr(image, "shape") for image in data):
            raise DataError(
                "A list of images needs arrays of one shape; got "
                f"{', '.join(map(str, sorted(shapes)))}. Labels are not taken."
            )
        data = np.stack([ops.convert_to_numpy(image) for image in data])
    if isinstance(data, np.ndarray):
        teacher.check_images(data)
        return ImageArray(data, any_values=True)
    return data if _is_source(data) else None


def _is_source(data: Any) -> bool:
    return hasattr(data, "content_hash") and hasattr(data, "batches")


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
        _check_iterable(data)
        if options.key is None:
            if hasattr(data, "__next__"):
                raise DataError(
                    "A generator can be read only once. Give a tf.data dataset or a "
                    "PyDataset, or a cache_key so that it is read once and kept."
                )
            logger.warning(
                "This dataset is not cached: the teacher runs again in every epoch. "
                "Give a cache_key to compute its features once."
            )
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


def streamed_features(
    data: Any, teacher: Teacher, batch_size: int = 32
) -> FeatureStream:
    """The features of whole images, a batch at a time, for one pass over them.

    Raises:
        DataError: what cannot be read as images.
    """
    source = image_source(data, teacher)
    if source is None:
        _check_iterable(data)
        if hasattr(data, "__next__"):
            # A generator is used up by one pass, and Keras looks at batches twice.
            data = list(image_batches(data))
    return FeatureStream(
        data if source is None else source, teacher, ViewSpec(count=1), batch_size
    )


def _check_iterable(data: Any) -> None:
    if not isinstance(data, Iterable) and not hasattr(data, "__getitem__"):
        raise DataError(
            "Images are an array (n, height, width, channels), an image folder's "
            "subset, a tf.data dataset, a PyDataset or a FeatureCache; got "
            f"{type(data).__name__}."
        )


class FeatureStream:
    """Features that are not cached: computed again in each pass.

    Args:
        data: an `ImageSource`, `tf.data.Dataset`, `PyDataset` or other iterable of
            image batches `(n, H, W, C)`, or of tuples whose first element is that. To
            be passed over again it must give the same number of batches each time.
        teacher: whose features.
        views: of the images; drawn anew in each pass of `forever`.
        batch_size: images in a batch, where `data` is an `ImageSource`.
    """

    def __init__(
        self, data: Any, teacher: Teacher, views: ViewSpec, batch_size: int = 32
    ) -> None:
        self.data = data
        self.teacher = teacher
        self.views = views
        self.batch_size = batch_size

    @property
    def images(self) -> int | None:
        """Images in a pass, where they are an `ImageSource`."""
        return len(self.data) if _is_source(self.data) else None

    @property
    def steps(self) -> int | None:
        """Batches in a pass, or None where that is not known."""
        count = _length(self.data)
        if count is not None and _is_source(self.data):
            return -(-count // self.batch_size)
        return count

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
        start = row = epoch * 1_000_003
        for images in image_batches(self.data, self.batch_size):
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
        if row == start:
            raise DataError("The dataset gives no images.")


class _KeyedDataset:
    """Any dataset that the user gave a key, read once, as an image source."""

    bad: tuple[Any, ...] = ()

    def __init__(self, data: Any, key: str, teacher: Teacher) -> None:
        _length(data)
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


def image_batches(data: Any, batch_size: int = 32) -> Iterator[np.ndarray]:
    """Batches of images `(n, H, W, C)` from a dataset, one pass.

    `batch_size` is used for an `ImageSource`; a dataset has batches of its own.
    """
    if _is_source(data):
        yield from data.batches(batch_size)
        return
    if hasattr(data, "num_batches") and hasattr(data, "__getitem__"):
        steps = data.num_batches
        indices = itertools.count() if steps is None else range(int(steps))
        iterator: Iterable[Any] = (data[index] for index in indices)
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


def _length(data: Any) -> int | None:
    """Batches in a pass; None where only reading tells. Refuses an endless dataset."""
    if hasattr(data, "num_batches"):
        count = -1 if data.num_batches is None else int(data.num_batches)
    elif hasattr(data, "cardinality"):
        count = int(data.cardinality())  # of tf.data: -1 is endless, -2 unknown
    else:
        try:
            count = len(data)
        except TypeError:
            return None
    if count == -1:
        raise ConfigError(
            "This dataset is endless. Give .take(batches) of a tf.data dataset, the "
            "num_batches of a PyDataset, or steps_per_epoch to fit."
        )
    return count if count >= 0 else None
