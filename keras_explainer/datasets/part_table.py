"""The annotations of a folder of images: `parts.csv`."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_explainer import files
from keras_explainer.errors import DataError

from .containment import relative_posix, resolve_inside
from .part_csv import TEXT_COLUMNS, parse_part_csv

SPLITS = ("train", "test")
_SHOWN = 5


@dataclass(frozen=True, eq=False)
class PartTable:
    """Files with part centres and, if given, categories and a split.

    A `parts.csv` has a row per image. Columns: `file` (path with '/', relative to the
    folder of images); for each part `<part>_y` and `<part>_x`, its centre, and, if
    known, `<part>_h` and `<part>_w`, its size, all in pixels of the upright image as
    it is stored (before any resizing), y downwards, from the upper left corner; cells
    are empty where the part is not visible or not annotated. If present: `name` and
    `wnid` (the category), `split` (`train` or `test`). Other columns are ignored.

    Attributes:
        files: N relative paths in normal form, all different.
        parts: P part names, in the order of the columns.
        centres: float64 (N, P, 2), (y, x), NaN where absent.
        sizes: float64 (N, P, 2), (height, width), NaN where absent.
        names: N category names ("" where empty), or None without the column.
        wnids: the same for the `wnid` column.
        splits: N of "train" or "test", or None without the column.
        lines: N line numbers in the file (the header is line 1), for messages.
        source: the file it was read from, for messages.

    Raises:
        DataError: values that a table cannot hold.
    """

    files: tuple[str, ...]
    parts: tuple[str, ...]
    centres: np.ndarray
    sizes: np.ndarray
    names: tuple[str, ...] | None = None
    wnids: tuple[str, ...] | None = None
    splits: tuple[str, ...] | None = None
    lines: tuple[int, ...] = ()
    source: str = "part table"

    def __post_init__(self) -> None:
        for field in ("files", "parts", "names", "wnids", "splits", "lines"):
            value = getattr(self, field)
            object.__setattr__(self, field, None if value is None else tuple(value))
        count = len(self.files)
        if not self.lines:
            object.__setattr__(self, "lines", tuple(range(2, count + 2)))
        if not count:
            raise DataError(f"{self.source}: it has no rows.")
        self._check_text(count)
        self._check_parts(count)

    def _check_text(self, count: int) -> None:
        seen: dict[str, int] = {}
        normal = []
        for file, line in zip(self.files, self.lines, strict=True):
            try:
                normal.append(relative_posix(file))
            except DataError as error:
                raise DataError(f"{self._at(line)}: file {file!r} {error}.") from error
            if normal[-1] != normal[-1].strip():
                raise DataError(
                    f"{self._at(line)}: file {file!r} begins or ends with white space."
                )
            first = seen.setdefault(normal[-1], line)
            if first != line:
                raise DataError(
                    f"{self._at(line)}: file {file!r} is there twice, first on line "
                    f"{first}: keep one row per image."
                )
        object.__setattr__(self, "files", tuple(normal))
        for field in ("names", "wnids", "splits"):
            column = getattr(self, field)
            if column is None:
                continue
            if len(column) != count:
                raise DataError(f"{field} has {len(column)} rows, files has {count}.")
            object.__setattr__(self, field, tuple(cell.strip() for cell in column))
        for value, line in zip(self.splits or (), self.lines, strict=False):
            if value not in SPLITS:
                raise DataError(
                    f"{self._at(line)}: split {value!r} is not accepted; use 'train' "
                    "or 'test', in every row."
                )

    def _check_parts(self, count: int) -> None:
        for place, part in enumerate(self.parts):
            if not part or part != part.strip() or part in self.parts[:place]:
                raise DataError(
                    f"{self.source}: part name {part!r} is empty, there twice, or "
                    "begins or ends with white space."
                )
        shape = (count, len(self.parts), 2)
        for field in ("centres", "sizes"):
            array = np.array(getattr(self, field), np.float64)  # a copy, then frozen
            if array.shape != shape:
                raise DataError(
                    f"{field} must have shape {shape} (rows, parts, 2); got "
                    f"{array.shape}."
                )
            array.setflags(write=False)
            object.__setattr__(self, field, array)
            absent = np.isnan(array)
            broken = np.isinf(array).any(-1) | (absent[..., 0] != absent[..., 1])
            if field == "sizes":
                broken |= (array < 0).any(-1)
            for row, at in np.argwhere(broken)[:1]:
                raise DataError(
                    f"{self._at(self.lines[row])}: {field} of part "
                    f"{self.parts[at]!r} is {array[row, at].tolist()}; both values "
                    "must be finite numbers or both be absent"
                    + (", and a size not be negative." if field == "sizes" else ".")
                )

    def _at(self, line: int) -> str:
        return f"{self.source}, line {line}"

    def __len__(self) -> int:
        return len(self.files)

    @property
    def annotated(self) -> np.ndarray:
        """bool (N,): rows with at least one part centre."""
        return ~np.isnan(self.centres[..., 0]).all(-1)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] | None = None,
        check_files: bool = True,
    ) -> PartTable:
        """Reads a `parts.csv`: UTF-8 (a byte order mark is accepted), commas.

        Args:
            path: the table.
            root: the folder that its files are relative to; the table's own if None.
            check_files: refuse rows whose file does not exist under `root`. Paths
                that leave `root`, also by a symbolic link, are refused in any case.

        Raises:
            DataError: the table cannot be used; the message names the line.
        """
        source = os.fspath(path)
        table = cls(**parse_part_csv(source), source=source)
        root = Path(source).parent if root is None else root
        missing: list[str] = []
        targets: dict[Path, str] = {}
        for file, line in zip(table.files, table.lines, strict=True):
            try:
                real = resolve_inside(root, file)
            except DataError as error:
                raise DataError(
                    f"{source}, line {line}: file {file!r} {error}."
                ) from error
            if targets.setdefault(real, file) != file:
                raise DataError(
                    f"{source}, line {line}: file {file!r} is the same file as "
                    f"{targets[real]!r}, by a symbolic link: keep one row per image."
                )
            # Path.is_file raises for a name that the system cannot have.
            if check_files and not os.path.isfile(real):
                missing.append(f"{file!r} (line {line})")
        if missing:
            raise DataError(
                f"{source}: {len(missing)} of {len(table)} files are not found in "
                f"{os.fspath(root)}: {_first(missing)}."
            )
        return table

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the table so that `read` gives it back exactly.

        Raises:
            DataError: it cannot be written.
        """
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer)  # ends lines as RFC 4180 does
        sized = ~np.isnan(self.sizes).all((0, 2))
        text_columns = zip(
            TEXT_COLUMNS,
            (self.files, self.names, self.wnids, self.splits),
            strict=True,
        )
        columns = {name: cells for name, cells in text_columns if cells is not None}
        header = list(columns)
        for part, has_size in zip(self.parts, sized, strict=True):
            header += [f"{part}_{end}" for end in ("yxhw" if has_size else "yx")]
        writer.writerow(header)
        for row in range(len(self)):
            cells = [column[row] for column in columns.values()]
            for at, has_size in enumerate(sized):
                values = [*self.centres[row, at]]
                values += [*self.sizes[row, at]] if has_size else []
                cells += ["" if math.isnan(v) else repr(float(v)) for v in values]
            writer.writerow(cells)
        try:
            # A folder is not made: its images would be missing.
            Path(path).parent.stat()
            files.write_bytes(path, buffer.getvalue().encode("utf-8"))
        except (OSError, UnicodeEncodeError) as error:
            raise DataError(f"{os.fspath(path)} cannot be written: {error}") from error

    def check_centres(self, image_sizes: np.ndarray) -> None:
        """Refuses part centres that lie outside their image.

        Args:
            image_sizes: float (N, 2), (height, width) of each upright image in pixels,
                NaN where it is not known. Accepted are 0 <= y <= height and
                0 <= x <= width.

        Raises:
            DataError: with the line, file and part of the first five.
        """
        image_sizes = np.asarray(image_sizes, np.float64)
        if image_sizes.shape != (len(self), 2):
            raise DataError(
                f"image_sizes must have shape ({len(self)}, 2); got "
                f"{image_sizes.shape}."
            )
        outside = (self.centres < 0) | (self.centres > image_sizes[:, None])
        found = [
            f"line {self.lines[row]}, {self.files[row]!r}: {self.parts[part]!r} at "
            f"y={self.centres[row, part, 0]:g}, x={self.centres[row, part, 1]:g} in "
            f"{image_sizes[row, 0]:g} x {image_sizes[row, 1]:g}"
            for row, part in np.argwhere(outside.any(-1) & _known(image_sizes)[:, None])
        ]
        if found:
            raise DataError(
                f"{self.source}: {len(found)} part centres lie outside their image "
                f"(height x width in pixels of the upright image): {_first(found)}."
            )


def _known(image_sizes: np.ndarray) -> np.ndarray:
    """bool (N,): rows whose height and width are not NaN."""
    return ~np.isnan(image_sizes).any(-1)


def _first(items: Sequence[str]) -> str:
    more = len(items) - _SHOWN
    return "; ".join(items[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
