"""A folder of photographs, with or without part annotations, split in two."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import ConfigError, DataError, did_you_mean

from .bad_image import BadImage
from .folder_listing import files_in_folder, list_images, top_folder
from .held_out import held_out
from .image_reader import EXTENSIONS, MAX_PIXELS, ImageReader
from .image_subset import ImageSubset
from .part_table import PartTable


class ImageFolder:
    """Images of a folder: a flat one, class sub-folders, or a `parts.csv` with paths.

    With a part table, the images are its rows, in its order; other files are not
    looked at. Without one, they are all image files below the folder, sorted. Train
    and test never share a file. Annotations of train rows are dropped here: no object
    that is given out holds them.

    The split: a `split` column is obeyed. Else a seeded share of each category is
    held out (see `held_out`), annotated or not; evaluation then uses the annotated
    ones among them (`test.annotated`). The choice is made over the whole folder before
    a category is picked, so that it is the same with and without `category`.

    Args:
        directory: the folder.
        category: `name` or `wnid` of the table's rows, or a sub-folder (its relative
            path, or its name if that is unique); None for all.
        image_size: (height, width) in pixels that images are resized to.
        parts_csv: the part table; None: `directory/parts.csv` if there is one; False:
            none. Its files are relative to `directory`.
        test_share: share of the images held out where there is no `split` column,
            0 <= test_share < 1.
        seed: of that choice.
        on_bad: "skip" bad files (they are listed in `bad`) or "raise".
        channels: 3 (RGB) or 1.
        split: a recorded split (`split_record()` of an earlier run) to keep: files
            that it lists keep their side; files that it does not list are split by
            its seed and share. With a `split` column the column is obeyed, and a test
            row that the record has in train is refused.
        max_pixels, first_frame, workers: see `ImageReader`.

    Attributes:
        directory: the folder, a Path.
        category: as given.
        files: relative paths of the chosen images, before any is found bad.
        labels: the category of each (the table's `name`, else `wnid`, else the first
            sub-folder), or None.
        categories: all categories of the folder, sorted.
        part_names: names of the annotated parts.
        reader: the `ImageReader` of both subsets.
        refused: links that lead out of the folder and folders that cannot be listed,
            left out.

    Raises:
        DataError: no such folder, no images, a part table that cannot be used, a
            category that does not exist, part centres outside their image.
        ConfigError: an argument that is not accepted.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        image_size: Sequence[int],
        category: str | None = None,
        parts_csv: str | os.PathLike[str] | bool | None = None,
        test_share: float = 0.2,
        seed: int = 0,
        on_bad: str = "skip",
        channels: int = 3,
        split: Mapping[str, Any] | None = None,
        max_pixels: int = MAX_PIXELS,
        first_frame: bool = False,
        workers: int = 2,
    ) -> None:
        self.reader = ImageReader(
            image_size,
            channels,
            on_bad,
            max_pixels,
            first_frame=first_frame,
            workers=workers,
        )
        self.directory = _existing_folder(directory)
        self.category = category
        self.test_share, self.seed = _share_and_seed(test_share, seed)
        recorded = _recorded(split) if split is not None else None
        if recorded and recorded["how"] == "held_out":
            self.test_share, self.seed = _share_and_seed(
                recorded["share"], recorded["seed"]
            )
        table = self._table(parts_csv)
        every, self.refused = self._list(table)
        labels = self._all_labels(every, table)
        self.categories = sorted({label for label in labels if label is not None})
        test = self._test_rows(every, labels, table, recorded)
        rows = self._rows_of_category(every, table)
        self.files = [every[row] for row in rows]
        self.labels = [labels[row] for row in rows]
        self.part_names = table.parts if table else ()
        self._how = "column" if table and table.splits is not None else "held_out"
        train_rows = [row for row in rows if not test[row]]
        test_rows = [row for row in rows if test[row]]
        centres = self._resized_centres(table, rows, test_rows) if table else None
        self._train = self._subset("train", train_rows, every, labels, None)
        self._test = self._subset("test", test_rows, every, labels, centres)
        self._split = {
            "train": [every[row] for row in train_rows],
            "test": [every[row] for row in test_rows],
        }

    @property
    def train(self) -> ImageSubset:
        """The images to learn from, without annotations.

        Raises:
            DataError: the split leaves none.
        """
        return self._part(self._train, "train", "to learn from")

    @property
    def test(self) -> ImageSubset:
        """The images to measure on, with their annotations.

        Raises:
            DataError: the split leaves none.
        """
        return self._part(self._test, "test", "to measure on")

    @property
    def bad(self) -> list[BadImage]:
        """All files that were left out, of both subsets (all files are then read)."""
        found = list(self.refused)
        for role, subset in (("train", self._train), ("test", self._test)):
            found += subset.bad if self._split[role] else []
        return found

    def split_record(self) -> dict[str, Any]:
        """How the images were split, JSON-able; `split=` takes it back.

        Keys: `how` ("column" or "held_out"), `seed` and `share` (null for a column),
        `category`, `train` and `test` (relative paths).
        """
        by_share = self._how == "held_out"
        return {
            "how": self._how,
            "seed": self.seed if by_share else None,
            "share": self.test_share if by_share else None,
            "category": self.category,
            "train": list(self._split["train"]),
            "test": list(self._split["test"]),
        }

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        which = "" if self.category is None else f", category {self.category!r}"
        train, test = (len(self._split[role]) for role in ("train", "test"))
        return f"ImageFolder({str(self.directory)!r}{which}, {train} + {test} images)"

    def _part(self, subset: ImageSubset, role: str, use: str) -> ImageSubset:
        if self._split[role]:
            return subset
        which = "" if self.category is None else f" of category {self.category!r}"
        fix = (
            "the column 'split' of its part table gives it none"
            if self._how == "column"
            else f"there are {len(self)} in all and test_share={self.test_share:g}; "
            "add images or change test_share"
        )
        raise DataError(
            f"{self.directory}: there are no {role} images{which} {use}: {fix}."
        )

    def _table(
        self, parts_csv: str | os.PathLike[str] | bool | None
    ) -> PartTable | None:
        if parts_csv is False:
            return None
        if parts_csv is None or parts_csv is True:
            path = self.directory / "parts.csv"
            if parts_csv is None and not path.exists():
                return None
        else:
            path = Path(parts_csv)
        return PartTable.read(path, root=self.directory)

    def _list(self, table: PartTable | None) -> tuple[list[str], list[BadImage]]:
        if table is not None:
            return list(table.files), []
        files, refused = list_images(self.directory)
        if refused and self.reader.on_bad == "raise":
            raise DataError(
                f"{self.directory}: {refused[0].path} {refused[0].reason}. "
                "on_bad='skip' leaves it out."
            )
        if not files:
            left = f" ({len(refused)} entries refused)" if refused else ""
            raise DataError(
                f"{self.directory}: there are no images in this folder or below it"
                f"{left}. Accepted: files that end in {', '.join(EXTENSIONS)}."
            )
        return files, refused

    def _all_labels(
        self, files: list[str], table: PartTable | None
    ) -> list[str | None]:
        column = (table.names or table.wnids) if table else None
        if column is not None:
            return [label or None for label in column]
        return [top_folder(file) for file in files]

    def _rows_of_category(self, files: list[str], table: PartTable | None) -> list[int]:
        wanted = self.category
        if wanted is None:
            return list(range(len(files)))
        if not isinstance(wanted, str) or not wanted.strip():
            raise ConfigError(
                f"category must be a name or None; got {wanted!r}. "
                + did_you_mean(str(wanted), self.categories)
            )
        known: list[str] = []
        for column in (table.names, table.wnids) if table else ():
            rows = [row for row, cell in enumerate(column or ()) if cell == wanted]
            if rows:
                return rows
            known += column or ()
        try:
            return files_in_folder(files, wanted, sorted({*known} - {""}))
        except DataError as error:
            raise DataError(f"{self.directory}: {error}") from error

    def _test_rows(
        self,
        files: list[str],
        labels: list[str | None],
        table: PartTable | None,
        recorded: Mapping[str, Any] | None,
    ) -> list[bool]:
        """Whether each file of the whole folder is a test image."""
        learned = set(recorded["train"]) if recorded else set()
        if table is not None and table.splits is not None:
            test = [side == "test" for side in table.splits]
            leaked = [f for f, held in zip(files, test, strict=True) if held]
            leaked = [file for file in leaked if file in learned]
            if leaked:
                raise DataError(
                    f"{table.source}: {len(leaked)} test rows were train rows in the "
                    f"recorded split, so they were learned from; first {leaked[0]!r}."
                )
            return test
        named = table is not None and (table.names or table.wnids) is not None
        strata = [
            (label or "") if named else os.path.dirname(file)
            for file, label in zip(files, labels, strict=True)
        ]
        chosen = held_out(files, strata, self.test_share, self.seed)
        held = chosen - learned
        if recorded:
            held |= set(recorded["test"])
        return [file in held for file in files]

    def _resized_centres(
        self, table: PartTable, rows: list[int], test_rows: list[int]
    ) -> np.ndarray:
        """Part centres of the test rows in pixels of the resized image.

        All chosen rows are checked to have their centres inside the image.
        """
        native = np.full((len(table), 2), np.nan)
        annotated = table.annotated
        for row in rows:
            if not annotated[row]:
                continue
            try:
                native[row] = self.reader.size(table.files[row], self.directory)
            except DataError:
                continue  # a bad file: the subset's check says so
        table.check_centres(native)
        scale = np.array(self.reader.image_size) / native[test_rows]
        return table.centres[test_rows] * scale[:, None]

    def _subset(
        self,
        role: str,
        rows: list[int],
        files: list[str],
        labels: list[str | None],
        centres: np.ndarray | None,
    ) -> ImageSubset:
        return ImageSubset(
            self.directory,
            [files[row] for row in rows],
            self.reader,
            labels=[labels[row] for row in rows],
            part_names=() if role == "train" else self.part_names,
            centres=centres,
            hidden=role == "train",
            role=role,
        )


def _existing_folder(directory: str | os.PathLike[str]) -> Path:
    path = Path(directory)
    if path.is_dir():
        return path
    if path.exists():
        raise DataError(f"{path} is a file, not a folder of images.")
    near = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
    hint = f" {did_you_mean(path.name, near)}" if near else ""
    raise DataError(f"There is no folder {path}.{hint}")


def _share_and_seed(share: object, seed: object) -> tuple[float, int]:
    number = isinstance(share, (int, float, np.floating)) and not isinstance(
        share, bool
    )
    if not number or not 0 <= float(share) < 1:  # type: ignore[arg-type]
        raise ConfigError(
            f"test_share must be a number with 0 <= test_share < 1; got {share!r}."
        )
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
        raise ConfigError(f"seed must be a whole number; got {seed!r}.")
    return float(share), int(seed)  # type: ignore[arg-type]


def _recorded(split: Mapping[str, Any]) -> Mapping[str, Any]:
    """A split record, checked."""
    keys = ("how", "seed", "share", "train", "test")
    lists = isinstance(split, Mapping) and all(
        isinstance(split.get(side), (list, tuple))
        and all(isinstance(file, str) for file in split[side])
        for side in ("train", "test")
    )
    if not lists or any(key not in split for key in keys):
        raise DataError(
            f"A recorded split has the keys {', '.join(keys)}, as split_record() gives "
            "it."
        )
    if split["how"] not in ("column", "held_out"):
        raise DataError(
            f"A recorded split has how 'column' or 'held_out'; got {split['how']!r}."
        )
    if set(split["train"]) & set(split["test"]):
        raise DataError("The recorded split has files in both train and test.")
    return split
