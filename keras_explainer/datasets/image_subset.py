"""Image files of a folder, in a fixed order, read when needed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_explainer.errors import ConfigError, DataError

from .bad_image import BadImage
from .containment import resolve_inside
from .image_reader import EXTENSIONS, ImageReader, Progress
from .prefetch import prefetched
from .row_indices import batch_rows, row_indices

_BLOCK = 1 << 20


class ImageSubset:
    """Some image files of a folder.

    Before the first use (`len`, `files`, images, hash) all files are decoded and
    hashed once, by `check`: bad files are then removed and listed in `bad`, or raise,
    as the reader's `on_bad` says. Rows keep their numbers afterwards: a file that goes
    bad later raises.

    Args:
        directory: the folder.
        files: paths relative to it.
        reader: how files are read.
        labels: the category of each file, or None.
        part_names: P part names.
        centres: float (n, P, 2), (y, x), pixels of the *resized* image, NaN where
            absent.
        hidden: annotations must not be read; for images that are learned from.
        role: what the images are for, in messages: "train", "test" or "".

    Raises:
        ConfigError: lengths that do not fit each other, or centres given with `hidden`.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        files: Sequence[str],
        reader: ImageReader,
        *,
        labels: Sequence[str | None] | None = None,
        part_names: Sequence[str] = (),
        centres: np.ndarray | None = None,
        hidden: bool = False,
        role: str = "",
    ) -> None:
        count = len(files)
        labels = [None] * count if labels is None else list(labels)
        if hidden and centres is not None:
            raise ConfigError("hidden annotations must not be handed over at all.")
        if centres is None:
            centres = np.full((count, len(part_names), 2), np.nan)
        centres = np.asarray(centres, np.float64)
        if len(labels) != count or centres.shape != (count, len(part_names), 2):
            raise ConfigError(
                f"{count} files need {count} labels and centres of shape "
                f"({count}, {len(part_names)}, 2); got {len(labels)} and "
                f"{centres.shape}."
            )
        self.directory = Path(directory)
        self.reader = reader
        self.role = role
        self._files = list(files)
        self._labels = labels
        self._part_names = tuple(part_names)
        self._centres = centres
        self._hidden = hidden
        self._digests: list[bytes] | None = None
        self._bad: list[BadImage] = []
        self._content_hash: str | None = None

    def check(self, progress: Progress | None = None) -> list[BadImage]:
        """Decodes and hashes all files, once; returns the bad ones.

        Args:
            progress: called with (files done, files in all).

        Raises:
            DataError: a bad file with `on_bad="raise"`, or no file can be used.
        """
        if self._digests is not None:
            return list(self._bad)
        if not self._files:
            raise DataError(
                f"{self.directory}: there are no {self._kind()}s. Accepted: files "
                f"that end in {', '.join(EXTENSIONS)}."
            )
        outcome = self.reader.map(self._check_one, len(self._files), progress)
        bad = [entry for entry in outcome if isinstance(entry, BadImage)]
        if bad and self.reader.on_bad == "raise":
            more = f" ({len(bad)} bad files in all)" if len(bad) > 1 else ""
            raise DataError(
                f"{self.directory}: {bad[0].path} {bad[0].reason}{more}. "
                "on_bad='skip' leaves such files out."
            )
        good = [i for i, entry in enumerate(outcome) if not isinstance(entry, BadImage)]
        if not good:
            raise DataError(
                f"{self.directory}: none of the {len(bad)} {self._kind()}s can be "
                f"read; the first, {bad[0].path}, {bad[0].reason}."
            )
        self._files = [self._files[i] for i in good]
        self._labels = [self._labels[i] for i in good]
        self._centres = self._centres[good]
        self._bad = bad
        self._digests = [outcome[i] for i in good]
        return list(bad)

    def _check_one(self, index: int) -> bytes | BadImage:
        name = self._files[index]
        try:
            self.reader.read(name, self.directory)
            return _digest(resolve_inside(self.directory, name))
        except DataError as error:
            return BadImage(name, str(error.__cause__ or error))
        except OSError as error:
            return BadImage(name, f"cannot be read ({error.strerror or error})")

    def __len__(self) -> int:
        self.check()
        return len(self._files)

    def __repr__(self) -> str:
        count = len(self._files)
        return f"ImageSubset({count} {self._kind()} files of {str(self.directory)!r})"

    def _kind(self) -> str:
        return f"{self.role} image".strip()

    @property
    def files(self) -> list[str]:
        """Relative paths of the files that can be read, in order."""
        self.check()
        return list(self._files)

    @property
    def labels(self) -> list[str | None]:
        """The category of each file, or None."""
        self.check()
        return list(self._labels)

    @property
    def bad(self) -> list[BadImage]:
        """The files that were left out."""
        return self.check()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.reader.image_shape

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the annotated parts.

        Raises:
            DataError: these are train rows.
        """
        self._may_see()
        return self._part_names

    @property
    def centres(self) -> np.ndarray:
        """float64 (n, parts, 2), (y, x) in pixels of the resized image; NaN: absent.

        Pixel edges are counted: the image spans 0..height and 0..width.

        Raises:
            DataError: these are train rows.
        """
        self._may_see()
        self.check()
        return self._centres.copy()

    @property
    def has_annotations(self) -> bool:
        """Whether some row has a part centre that may be read; False on train rows."""
        if self._hidden:
            return False
        self.check()
        return bool(self._annotated_rows().any())

    @property
    def annotated(self) -> ImageSubset:
        """The rows with at least one part centre.

        Raises:
            DataError: these are train rows, or no row has one.
        """
        self._may_see()
        self.check()
        rows = self._annotated_rows()
        if not rows.any():
            raise DataError(
                f"{self.directory}: no {self._kind()} has a part centre; columns "
                "<part>_y and <part>_x of parts.csv give them."
            )
        return self.subset(rows)

    def _annotated_rows(self) -> np.ndarray:
        return ~np.isnan(self._centres[..., 0]).all(-1)

    def _may_see(self) -> None:
        if self._hidden:
            raise DataError("annotations of train rows are not available to learning")

    def subset(self, indices: Sequence[int] | np.ndarray) -> ImageSubset:
        """The rows at `indices` (or in a boolean mask), in that order.

        Raises:
            ConfigError: indices that do not exist.
        """
        self.check()
        rows = row_indices(indices, len(self._files))
        child = ImageSubset(
            self.directory,
            [self._files[row] for row in rows],
            self.reader,
            labels=[self._labels[row] for row in rows],
            part_names=self._part_names,
            centres=None if self._hidden else self._centres[rows],
            hidden=self._hidden,
            role=self.role,
        )
        digests = self._digests or []
        child._digests = [digests[row] for row in rows]
        return child

    def images(
        self,
        indices: Sequence[int] | np.ndarray | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """uint8 (n, height, width, channels), 0..255.

        Args:
            indices: rows, or a boolean mask; None for all.
            progress: called with (files done, files in all).

        Raises:
            ConfigError: indices that do not exist.
            DataError: a file became unreadable since it was checked.
        """
        self.check()
        return self._read(row_indices(indices, len(self._files)), progress)

    def load(self, progress: Progress | None = None) -> np.ndarray:
        """All images: uint8 (n, height, width, channels)."""
        return self.images(None, progress)

    def batches(
        self,
        batch_size: int,
        indices: Sequence[int] | np.ndarray | None = None,
    ) -> Iterator[np.ndarray]:
        """The images, uint8, at most `batch_size` at a time, in order.

        A background thread reads ahead; at most four batches are in memory.

        Args:
            batch_size: images per batch; the last one may be smaller.
            indices: rows in the order wanted, or a boolean mask; None for all.

        Raises:
            ConfigError: a batch size or indices that are not accepted.
            DataError: a file became unreadable since it was checked.
        """
        self.check()
        rows = row_indices(indices, len(self._files))
        return prefetched(self._read, batch_rows(rows, batch_size))

    def _read(self, rows: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        names = [self._files[row] for row in rows]
        images, kept, bad = self.reader.read_many(names, self.directory, progress)
        if len(kept) != len(names):
            raise DataError(
                f"{self.directory}: {bad[0].path} changed since it was checked: it "
                f"{bad[0].reason}."
            )
        return images

    @property
    def content_hash(self) -> str:
        """sha256, hex, over the reader's settings and each file's name and bytes."""
        if self._content_hash is None:
            self.check()
            total = hashlib.sha256(
                json.dumps(self.reader.settings(), sort_keys=True).encode()
            )
            for name, digest in zip(self._files, self._digests or [], strict=True):
                encoded = os.fsencode(name)
                total.update(len(encoded).to_bytes(8, "little") + encoded + digest)
            self._content_hash = total.hexdigest()
        return self._content_hash


def _digest(path: Path) -> bytes:
    total = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK):
            total.update(block)
    return total.digest()
