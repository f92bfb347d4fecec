"""What a user hands to `explain`, as batches of features with bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explainer.data_input import FeatureStream, image_batches
from keras_explainer.teachers import Teacher

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

Features = tuple[np.ndarray, dict[str, np.ndarray]]
Batches = Callable[[], Iterator[Features]]


@dataclass(frozen=True)
class FeatureInput:
    """The features of some images, batch by batch, the whole images alone.

    Attributes:
        count: Number of images, None where it is not known before.
        names: Of the images, None where they have none.
        batches: Gives (features at the tap `(n, H, W, C)`, `{target: features}`).
    """

    count: int | None
    names: list[str] | None
    batches: Batches


def feature_input(explainer: Explainer, images: Any, batch_size: int) -> FeatureInput:
    """Prepares what a user gives; the teacher runs later, batch by batch.

    Args:
        explainer: With its teacher.
        images: `(n, H, W, C)` or one image `(H, W, C)`, RGB 0..255; a list of images of
            one size; an `ImageSubset` or `ImageArray`; a dataset that gives batches of
            images; a `FeatureCache` of this explainer's teacher.
        batch_size: Images at a time.

    Raises:
        TeacherError: The explainer has no teacher.
        DataError: No images, or images that do not fit the teacher.
        ConfigError: A batch size that is no whole number from 1.
    """
    teacher = explainer.teacher
    if isinstance(batch_size, bool) or not (
        isinstance(batch_size, int | np.integer) and batch_size >= 1
    ):
        raise ConfigError(f"batch_size is a whole number from 1, got {batch_size!r}.")
    if isinstance(images, FeatureCache):
        return _of_cache(images, teacher, int(batch_size))
    if isinstance(images, FeatureStream):
        return FeatureInput(None, None, lambda: _of_stream(images))
    if isinstance(images, list | tuple):
        images = _stacked(images)
    if ops.is_tensor(images):
        images = ops.convert_to_numpy(images)
    if isinstance(images, np.ndarray):
        return _of_array(images, teacher, int(batch_size))
    if hasattr(images, "content_hash") and hasattr(images, "batches"):
        return _of_image_set(images, teacher, int(batch_size))
    if isinstance(images, str | bytes | dict) or not (
        isinstance(images, Iterable) or hasattr(images, "num_batches")
    ):
        raise DataError(
            "Images are an array (n, height, width, channels) or (height, width, "
            "channels), an image folder's subset, or a dataset of batches; got "
            f"{type(images).__name__}. Files are read by ImageReader or ImageFolder, a "
            "Pillow image becomes an array by numpy.asarray."
        )
    return FeatureInput(
        None,
        None,
        lambda: _extracted(image_batches(images), teacher, int(batch_size)),
    )


def _stacked(images: list[Any] | tuple[Any, ...]) -> np.ndarray:
    arrays = [
        np.asarray(ops.convert_to_numpy(one) if ops.is_tensor(one) else one)
        for one in images
    ]
    if not arrays:
        raise DataError("There are no images: the list is empty.")
    for index, array in enumerate(arrays):
        if array.shape != arrays[0].shape:
            raise DataError(
                f"The images of a list must have one shape: image 0 has "
                f"{arrays[0].shape}, image {index} has {array.shape}."
            )
    return np.stack(arrays)


def _of_array(images: np.ndarray, teacher: Teacher, batch_size: int) -> FeatureInput:
    if images.ndim == 3:
        images = images[None]
    teacher.check_images(images)

    def batches() -> Iterator[Features]:
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            yield teacher.extract(chunk, batch_size=batch_size)

    return FeatureInput(len(images), None, batches)


def _of_image_set(images: Any, teacher: Teacher, batch_size: int) -> FeatureInput:
    if not len(images):
        raise DataError("There are no images to explain.")
    if tuple(images.image_shape) != tuple(teacher.input_shape):
        raise DataError(
            f"The images are {tuple(images.image_shape)}; the teacher takes "
            f"{tuple(teacher.input_shape)} (height, width, channels)."
        )
    names = getattr(images, "files", None)
    return FeatureInput(
        len(images),
        None if names is None else list(names),
        lambda: _extracted(images.batches(batch_size), teacher, batch_size),
    )


def _extracted(
    batches: Iterable[np.ndarray], teacher: Teacher, batch_size: int
) -> Iterator[Features]:
    """The features of given batches, which may be larger than `batch_size`."""
    for images in batches:
        for start in range(0, len(images), batch_size):
            chunk = images[start : start + batch_size]
            yield teacher.extract(chunk, batch_size=batch_size)


def _of_cache(cache: FeatureCache, teacher: Teacher, batch_size: int) -> FeatureInput:
    if tuple(cache.tap.shape[2:]) != tuple(teacher.tap_shape) or set(
        cache.targets
    ) != set(teacher.targets):
        raise DataError(
            f"The cache holds features {tuple(cache.tap.shape[2:])} and targets "
            f"{', '.join(cache.targets)}; the teacher's are {teacher.tap_shape} and "
            f"{', '.join(teacher.targets)}."
        )
    if not len(cache):
        raise DataError("There are no images to explain: the cache is empty.")

    def batches() -> Iterator[Features]:
        for start in range(0, len(cache), batch_size):
            rows = slice(start, start + batch_size)
            yield (
                np.asarray(cache.tap[rows, 0], "float32"),
                {
                    k: np.asarray(v[rows, 0], "float32")
                    for k, v in cache.targets.items()
                },
            )

    return FeatureInput(len(cache), None, batches)


def _of_stream(stream: FeatureStream) -> Iterator[Features]:
    for inputs, targets in stream.once():
        yield inputs["features"][:, 0], {k: v[:, 0] for k, v in targets.items()}
