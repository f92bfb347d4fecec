"""Feature cache: the teacher's features, computed once per image and view."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer import files
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.datasets.views import ViewSpec, view_images
from keras_explainer.errors import CacheError, ConfigError, DataError
from keras_explainer.teachers import Teacher

SCHEMA = 1
DTYPES = ("float32", "float16")
Progress = Callable[[int, int], None]


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
        rounding_error: float = 0.0,
        directory: Path | None = None,
    ) -> None:
        self.tap = tap
        self.targets = targets
        self.boxes = boxes
        self.key = key
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
            store: _Store = _Store(shapes, dtype)
        else:
            store = _DiskStore(shapes, dtype, Path(directory) / key[:32], key)
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


class _Store:
    """Arrays in memory, and how they are filled."""

    directory: Path | None = None

    def __init__(self, shapes: dict[str, tuple[int, ...]], dtype: str) -> None:
        self.shapes = shapes
        self.dtype = dtype
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
                f"The teacher gives NaN or infinity at its {name.replace('_', ' ')} for "
                f"images {start} to {stop}; its weights or these images are at fault."
            )
        array = self.arrays[name]
        if array.dtype == np.float16:
            largest = float(np.abs(values).max(initial=0))
            if largest > np.finfo(np.float16).max:
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


class _DiskStore(_Store):
    """Memory-mapped files, written on with each batch; resumable."""

    def __init__(
        self,
        shapes: dict[str, tuple[int, ...]],
        dtype: str,
        directory: Path,
        key: str,
    ) -> None:
        super().__init__(shapes, dtype)
        self.directory: Path = directory
        self.key = key
        self._lock = directory / "lock"

    def __enter__(self) -> None:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            known = self._read_state()
            if known is not None and known["done"] == len_of(self.shapes):
                self._open("r", known)
                return
            self._take_lock()
            try:
                self._open("r+" if known is not None else "w+", known)
            except BaseException:
                self._lock.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: Any, error: Any, _: Any) -> None:
        if not self._holds_lock():
            return
        self._lock.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise self._failed(error) from error
        if kind is None:
            # Learning only reads: a stray write would be an error.
            self._open("r", None)

    def after_batch(self) -> None:
        for array in self.arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        state = {
            "schema": SCHEMA,
            "key": self.key,
            "done": self.done,
            "lost": self.lost,
            "total": self.total,
        }
        files.write_json(self.directory / "state.json", state)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.npy"

    def _open(self, mode: Any, known: dict[str, Any] | None) -> None:
        if known is not None:
            self.done, self.lost, self.total = (
                known["done"],
                known["lost"],
                known["total"],
            )
        for name, shape in self.shapes.items():
            if mode == "w+":
                array = np.lib.format.open_memmap(
                    self._path(name), mode, self.dtype_of(name), shape
                )
                _take_room(self._path(name))
            else:
                array = self._open_checked(name, mode, shape)
            self.arrays[name] = array

    def _open_checked(self, name: str, mode: Any, shape: tuple[int, ...]) -> np.ndarray:
        try:
            array = np.load(self._path(name), mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise self._damaged(f"{name}.npy cannot be read ({error})") from error
        if array.shape != shape or array.dtype != self.dtype_of(name):
            raise self._damaged(
                f"{name}.npy holds {array.dtype} {array.shape}, expected "
                f"{self.dtype_of(name)} {shape}"
            )
        return array

    def _read_state(self) -> dict[str, Any] | None:
        path = self.directory / "state.json"
        if not path.exists():
            return None
        try:
            state = json.loads(path.read_text())
            fits = state["schema"] == SCHEMA and state["key"] == self.key
            fits = fits and 0 <= int(state["done"]) <= len_of(self.shapes)
            state["lost"], state["total"] = float(state["lost"]), float(state["total"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(f"state.json cannot be read ({error})") from error
        if not fits:
            raise self._damaged("state.json is that of another cache")
        return state

    def _take_lock(self) -> None:
        for _ in range(2):
            try:
                handle = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                owner = self._owner()
                if owner is None or _is_running(owner):
                    raise CacheError(
                        f"The cache {self.directory} is being written by process "
                        f"{owner}. Wait for it, or remove {self._lock} if there is none."
                    ) from None
                self._lock.unlink(missing_ok=True)
                continue
            os.write(handle, str(os.getpid()).encode())
            os.close(handle)
            return
        raise CacheError(f"The cache {self.directory} is being written.")

    def _owner(self) -> int | None:
        try:
            text = self._lock.read_text()
        except OSError:
            return None
        return int(text) if re.fullmatch(r"\d+", text) else None

    def _holds_lock(self) -> bool:
        return self._owner() == os.getpid()

    def _damaged(self, what: str) -> CacheError:
        return CacheError(
            f"The cache {self.directory} is damaged: {what}. Remove that folder; it "
            "will be computed anew."
        )

    def _failed(self, error: OSError) -> CacheError:
        return CacheError(
            f"The cache {self.directory} cannot be written: {error}. Give it another "
            "place, use dtype 'float16', or fewer views."
        )


def len_of(shapes: dict[str, tuple[int, ...]]) -> int:
    """Number of images of a store."""
    return shapes["tap"][0]


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _take_room(path: Path) -> None:
    """Allocates a sparse file's blocks: a disk that fills up later kills by SIGBUS."""
    with path.open("rb+") as handle:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle.fileno(), 0, path.stat().st_size)
