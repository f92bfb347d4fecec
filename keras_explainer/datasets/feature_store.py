"""Where features are kept while and after they are computed: arrays in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.datasets.image_reader import Progress
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.datasets.views import ViewSpec, view_images
from keras_explainer.errors import CacheError, DataError
from keras_explainer.teachers import Teacher

SCHEMA = 1
DTYPES = ("float32", "float16")


class FeatureStore:
    """Arrays in memory, and how they are filled.

    Args:
        shapes: `{array name: shape}`: "tap", "boxes", "target_0", …, images first.
        dtype: of the features; boxes are float32.

    Attributes:
        arrays: by name, once the store is entered as a context.
        done: images whose features are there.
    """

    directory: Path | None = None

    def __init__(self, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
        self.shapes = shapes
        self.dtype = dtype
        self.count = shapes["tap"][0]
        self.done = 0
        self.lost = 0.0
        self.total = 0.0
        self.arrays: dict[str, np.ndarray] = {}

    def __enter__(self) -> None:
        for name, shape in self.shapes.items():
            self.arrays[name] = np.empty(shape, self.dtype_of(name))

    def __exit__(self, *_: Any) -> None:
        pass

    def dtype_of(self, name: str) -> str:
        return "float32" if name == "boxes" else self.dtype

    @property
    def rounding_error(self) -> float:
        return float(np.sqrt(self.lost / self.total)) if self.total else 0.0

    def fill(
        self,
        teacher: Teacher,
        images: ImageSource,
        views: ViewSpec,
        batch_size: int,
        progress: Progress | None,
    ) -> None:
        count = len(images)
        step = max(1, batch_size // views.count)
        rows = np.arange(self.done, count)
        if progress:
            progress(self.done, count)
        for batch in images.batches(step, rows) if len(rows) else ():
            stop = self.done + len(batch)
            boxes = views.boxes(self.done, stop)
            pictures = view_images(batch, boxes)
            tap, targets = teacher.extract(
                pictures.reshape(-1, *pictures.shape[2:]), batch_size=batch_size
            )
            found = {"boxes": boxes, "tap": tap}
            found |= {
                f"target_{i}": targets[name] for i, name in enumerate(teacher.targets)
            }
            for name, values in found.items():
                self._put(name, values, self.done, stop)
            self.done = stop
            self.after_batch()
            if progress:
                progress(self.done, count)

    def _put(self, name: str, values: np.ndarray, start: int, stop: int) -> None:
        if not np.isfinite(values).all():
            raise DataError(
                f"The teacher gives NaN or infinity at {name.replace('_', ' ')} for "
                f"images {start} to {stop}; its weights or these images are at fault."
            )
        array = self.arrays[name]
        if array.dtype == np.float16:
            largest = float(np.abs(values).max(initial=0))
            if largest > float(np.finfo(np.float16).max):
                raise CacheError(
                    f"A feature of {largest:g} does not fit float16 (65504 at most); "
                    "use a float32 cache."
                )
        array[start:stop] = values.reshape(stop - start, *array.shape[1:])
        if array.dtype == np.float16:
            difference = values.reshape(-1) - array[start:stop].reshape(-1)
            self.lost += float(np.square(difference, dtype="float64").sum())
            self.total += float(np.square(values, dtype="float64").sum())

    def after_batch(self) -> None:
        pass
