"""Feature cache: the teacher's features, computed once per image and view."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np

from keras_explainer.datasets.disk_store import DiskStore
from keras_explainer.datasets.feature_store import DTYPES, SCHEMA, FeatureStore
from keras_explainer.datasets.image_reader import Progress
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.teachers import Teacher


class FeatureCache:
    """The features at tap and targets for every view of every image.

    Arrays in memory, or memory-mapped `.npy` files, the same for every backend.
    Made by `FeatureCache.build`; on disk it is keyed by the teacher's fingerprint
    (weights, tap, targets, preprocessing), the images' content, the views and the
    precision: a cache of anything else is never used.

    Attributes:
        tap: `(N, V, H, W, C)`. View 0 is the whole image.
        targets: `{target: (N, V, ...)}` in graph order.
        boxes: `(N, V, 5)` float32, see `ViewSpec`.
        key: 64 hex digits.
        fingerprint: of the teacher, or None where it is not known.
        rounding_error: root of the share of the squared features that float16 lost,
            over tap and targets; 0 for float32.
        directory: where the files are, or None.
    """

    def __init__(
        self,
        tap: np.ndarray,
        targets: dict[str, np.ndarray],
        boxes: np.ndarray,
        *,
        key: str = "",
        fingerprint: str | None = None,
        rounding_error: float = 0.0,
        directory: Path | None = None,
    ) -> None:
        self.tap = tap
        self.targets = targets
        self.boxes = boxes
        self.key = key
        self.fingerprint = fingerprint
        self.rounding_error = rounding_error
        self.directory = directory

    def __len__(self) -> int:
        return len(self.tap)

    @property
    def views(self) -> int:
        """Views per image."""
        return int(self.tap.shape[1])

    def __repr__(self) -> str:
        where = self.directory or "memory"
        return f"FeatureCache({len(self)} images x {self.views} views, {where})"

    def rows(self, start: int, stop: int) -> FeatureCache:
        """The images `start` to `stop`, without a copy."""
        return FeatureCache(
            self.tap[start:stop],
            {name: array[start:stop] for name, array in self.targets.items()},
            self.boxes[start:stop],
            key=f"{self.key}[{start}:{stop}]",
            fingerprint=self.fingerprint,
            rounding_error=self.rounding_error,
            directory=self.directory,
        )

    @classmethod
    def build(
        cls,
        teacher: Teacher,
        images: ImageSource,
        views: ViewSpec | None = None,
        *,
        directory: str | os.PathLike[str] | None = None,
        dtype: str = "float32",
        batch_size: int = 32,
        progress: Progress | None = None,
    ) -> FeatureCache:
        """Computes the features, or opens them if they have been computed.

        Args:
            teacher: whose features.
            images: the images, 0..255, of the teacher's input size.
            views: which views; None is the image alone.
            directory: where caches are kept, each in a folder named by its key; None
                keeps it in memory. An interrupted cache goes on where it stopped.
            dtype: "float32", or "float16" for half the room.
            batch_size: views per call of the teacher.
            progress: called with (images done, images in all).

        Raises:
            CacheError: files that are damaged, in use by another process, or cannot be
                written (a full disk); features beyond float16.
            DataError: images that do not fit the teacher, features that are not finite.
        """
        if dtype not in DTYPES:
            raise ConfigError(
                f"A cache's dtype is one of {', '.join(DTYPES)}, got {dtype}."
            )
        views = views or ViewSpec(count=1)
        count = len(images)
        if count == 0:
            raise DataError("There are no images to compute features of.")
        if tuple(images.image_shape) != tuple(teacher.input_shape):
            raise DataError(
                f"The images are {tuple(images.image_shape)}; the teacher takes "
                f"{tuple(teacher.input_shape)} (height, width, channels)."
            )
        key = cache_key(teacher, images.content_hash, views, dtype)
        shapes = {
            "tap": (count, views.count, *teacher.tap_shape),
            "boxes": (count, views.count, 5),
        }
        for number, shape in enumerate(teacher.target_shapes.values()):
            shapes[f"target_{number}"] = (count, views.count, *shape)
        if directory is None:
            store = FeatureStore(shapes, dtype)
        else:
            store = DiskStore(shapes, dtype, Path(directory) / key[:32], key)
        with store:
            store.fill(teacher, images, views, batch_size, progress)
        return cls(
            store.arrays["tap"],
            {
                name: store.arrays[f"target_{number}"]
                for number, name in enumerate(teacher.targets)
            },
            store.arrays["boxes"],
            key=key,
            fingerprint=teacher.fingerprint,
            rounding_error=store.rounding_error,
            directory=store.directory,
        )


def cache_key(teacher: Teacher, content_hash: str, views: ViewSpec, dtype: str) -> str:
    """sha256 over everything that the cached numbers depend on, 64 hex digits."""
    facts = {
        "schema": SCHEMA,
        "teacher": teacher.fingerprint,
        "images": content_hash,
        "views": views.to_dict(),
        "dtype": dtype,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
