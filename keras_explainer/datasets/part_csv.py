"""Reading of `parts.csv`: the text, its columns and its numbers."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.errors import DataError, did_you_mean

TEXT_COLUMNS = ("file", "name", "wnid", "split")


def parse_part_csv(source: str) -> dict[str, Any]:
    """Columns of a `parts.csv` as the arguments of `PartTable`.

    Raises:
        DataError: the file cannot be used; the message names the line.
    """
    rows = _rows(source)
    header = rows[0][1]
    _check_header(header, source)
    column = {name: place for place, name in enumerate(header)}
    parts = _part_names(header, source)
    body = rows[1:]
    for line, cells in body:
        if len(cells) != len(header):
            raise DataError(
                f"{source}, line {line}: it has {len(cells)} cells, the header has "
                f"{len(header)}. Cells that hold a comma must stand in quotes."
            )
    centres = np.full((len(body), len(parts), 2), np.nan)
    sizes = centres.copy()
    for place, part in enumerate(parts):
        for array, ends in ((centres, "yx"), (sizes, "hw")):
            names = [f"{part}_{end}" for end in ends]
            if names[0] not in column:
                continue
            for row, (line, cells) in enumerate(body):
                pair = [_number(cells[column[n]], n, line, source) for n in names]
                if math.isnan(pair[0]) != math.isnan(pair[1]):
                    raise DataError(
                        f"{source}, line {line}: only one of {names[0]!r} and "
                        f"{names[1]!r} is filled in; give both or none."
                    )
                array[row, place] = pair
    text = {
        name: tuple(cells[column[name]] for _, cells in body)
        for name in TEXT_COLUMNS
        if name in column
    }
    return {
        "files": text["file"],
        "parts": tuple(parts),
        "centres": centres,
        "sizes": sizes,
        "names": text.get("name"),
        "wnids": text.get("wnid"),
        "splits": text.get("split"),
        "lines": tuple(line for line, _ in body),
    }


def _rows(source: str) -> list[tuple[int, list[str]]]:
    """(line number, cells without surrounding white space) of all rows not empty."""
    try:
        data = Path(source).read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{source}: there is no such part table.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{source}: the part table cannot be read: {error}") from error
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"{source}: it is UTF-16; save it as CSV in UTF-8.")
    if data[:2] == b"PK":
        raise DataError(f"{source}: it is a spreadsheet or zip file; save it as CSV.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source}, line {line}: it is not UTF-8 (byte {data[error.start]:#04x}); "
            "save it as CSV in UTF-8."
        ) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, [cell.strip() for cell in cells]))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{source}, line {line}: it is not valid CSV: {error}.") from (
            error
        )
    if not rows:
        raise DataError(f"{source}: it is empty; the first row must name the columns.")
    return rows


def _check_header(header: list[str], source: str) -> None:
    if "file" not in header:
        for mark, name in ((";", "semicolons"), ("\t", "tabs")):
            if len(header) <= 2 and mark in header[0]:
                raise DataError(
                    f"{source}: its columns are separated by {name}; save it with "
                    "commas between the columns and points in the numbers."
                )
        raise DataError(
            f"{source}: there is no column 'file'. Columns: {', '.join(header)}. "
            + (did_you_mean("file", header) if header else "")
        )
    twice = sorted({name for name in header if header.count(name) > 1 and name})
    if twice:
        raise DataError(f"{source}: column {twice[0]!r} is there twice.")


def _part_names(header: list[str], source: str) -> list[str]:
    """Parts in column order; a part is what has both `_y` and `_x`."""
    parts = []
    for name in header:
        part, end = name[:-2], name[-2:]
        if end not in ("_y", "_x") or part in parts:
            continue
        other = part + ("_x" if end == "_y" else "_y")
        if not part:
            raise DataError(f"{source}: column {name!r} names no part.")
        if other not in header:
            raise DataError(
                f"{source}: there is a column {name!r} but no {other!r}; a part needs "
                "both."
            )
        parts.append(part)
    for part in parts:
        given = [f"{part}_{end}" in header for end in "hw"]
        if any(given) and not all(given):
            raise DataError(
                f"{source}: part {part!r} has only one of '{part}_h' and '{part}_w'; "
                "give both or none."
            )
    return parts


def _number(cell: str, name: str, line: int, source: str) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if math.isinf(value) or "_" in cell:  # float() accepts 1_000
        raise DataError(
            f"{source}, line {line}: {name} is {cell!r}; write a finite number with a "
            "decimal point, or leave the cell empty."
        )
    return value
