"""Reads MATLAB's .mat files of version 5 to 7: numbers, texts, structs and cells.

SciPy's reader is compiled and believes what a file says of itself: a damaged file can
end the process. Here every length is compared with what is there before it is used.
The format is public: "MAT-File Format", The MathWorks, chapter 1.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# A value of a file: a struct is a dict, an array of structs a list of them, a cell
# array a list too. What is none of these (objects, functions, sparse) reads as None.
Value = Any

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
_TYPES |= {12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_TEXTS |= {18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _NUMBERS = 1, 2, 4, range(6, 16)
_LENGTH_OF_NAME, _DEEPEST, _MOST_DIMS = 4096, 16, 8


def read_mat5(data: bytes, wanted: tuple[str, ...], most: int) -> dict[str, Value]:
    """The variables of a file that are asked for.

    Args:
        data: the file.
        wanted: names of variables; others are passed over.
        most: bytes that all of them may unpack to.

    Raises:
        ValueError: it is damaged, or unpacks to more.
    """
    if len(data) < 128 or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("it is no .mat file of version 5 to 7")
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, Value] = {}
    left = most
    for kind, body in _Elements(memoryview(data)[128:], order, padded=False):
        if kind == _COMPRESSED:
            unpacked = _unpacked(body, left)
            left -= len(unpacked)
            elements = list(_Elements(memoryview(unpacked), order))
        else:
            elements = [(kind, body)]
        for inner, content in elements:
            if inner != _MATRIX:
                raise ValueError(f"an element of kind {inner} where a matrix is due")
            name, value = _matrix(content, order, wanted, 0)
            if name in wanted:
                found[name] = value
    return found


def _unpacked(body: memoryview, most: int) -> bytes:
    """A compressed element; stops before it is more than `most` bytes."""
    unpack = zlib.decompressobj()
    try:
        data = unpack.decompress(body, most + 1)
    except zlib.error as error:
        raise ValueError(f"it is damaged ({error})") from error
    if len(data) > most:
        raise ValueError("it unpacks to more than it may")
    if not unpack.eof:
        raise ValueError("it is damaged: it ends in the middle")
    return data


@dataclass
class _Elements:
    """The elements in some bytes, as (kind, body); each must lie in them."""

    data: memoryview
    order: str
    padded: bool = True
    at: int = 0

    def __iter__(self) -> Iterator[tuple[int, memoryview]]:
        while self.at < len(self.data):
            yield self.next()

    def next(self) -> tuple[int, memoryview]:
        head = self.data[self.at : self.at + 8]
        if len(head) < 8:
            raise ValueError("it is damaged: it ends in the middle")
        kind, length = (int(n) for n in np.frombuffer(head, f"{self.order}u4"))
        if kind >> 16:  # small: kind and length in one word, the data in the other
            kind, length = kind & 0xFFFF, kind >> 16
            if length > 4:
                raise ValueError(f"a small element of {length} bytes")
            self.at += 8
            return kind, head[4 : 4 + length]
        start = self.at + 8
        if length > len(self.data) - start:
            raise ValueError("it is damaged: it ends in the middle")
        self.at = start + length
        if self.padded or kind != _COMPRESSED:
            self.at += -length % 8
        return kind, self.data[start : start + length]

    def array(self) -> np.ndarray:
        """The next element as numbers."""
        kind, body = self.next()
        if kind not in _TYPES:
            raise ValueError(f"an element of kind {kind} where numbers are due")
        kind_of = np.dtype(self.order + _TYPES[kind])
        if len(body) % kind_of.itemsize:
            raise ValueError("numbers that are cut off")
        return np.frombuffer(body, kind_of)


def _matrix(
    body: memoryview, order: str, wanted: tuple[str, ...] | None, depth: int
) -> tuple[str, Value]:
    """Name and value of a matrix; the value is None where the name is not wanted."""
    if not len(body):
        return "", np.zeros((0, 0))
    if depth > _DEEPEST:
        raise ValueError(f"values lie in more than {_DEEPEST} others")
    parts = _Elements(body, order)
    flags = parts.array()
    dims = [int(side) for side in parts.array()]
    kind, name_bytes = parts.next()
    if not len(flags) or not 2 <= len(dims) <= _MOST_DIMS or min(dims) < 0:
        raise ValueError(f"a matrix of {dims[:_MOST_DIMS]}")
    name = bytes(name_bytes[:_LENGTH_OF_NAME]).decode("latin-1")
    if wanted is not None and name not in wanted:
        return name, None
    kind, count = int(flags[0]) & 0xFF, math.prod(dims)
    if kind in _NUMBERS:
        if int(flags[0]) & 0x0800:
            raise ValueError("complex numbers")
        numbers = parts.array()
        if len(numbers) != count:
            raise ValueError(f"{len(numbers)} numbers for {dims}")
        return name, numbers.reshape(dims, order="F")
    if kind == _CHAR:
        return name, _text(*parts.next())
    if kind not in (_CELL, _STRUCT):
        return name, None
    fields = _field_names(parts) if kind == _STRUCT else [""]
    # Each value takes at least the eight bytes of its head.
    if count * len(fields) > len(body) // 8:
        raise ValueError(f"{dims} values in {len(body)} bytes")
    rows = []
    for _ in range(count):
        values = []
        for _ in fields:
            inner, content = parts.next()
            if inner != _MATRIX:
                raise ValueError(f"an element of kind {inner} where a matrix is due")
            values.append(_matrix(content, order, None, depth + 1)[1])
        rows.append(
            dict(zip(fields, values, strict=True)) if kind == _STRUCT else values[0]
        )
    return name, rows[0] if kind == _STRUCT and count == 1 else rows


def _field_names(parts: _Elements) -> list[str]:
    width = parts.array()
    _, body = parts.next()
    size = int(width[0]) if len(width) else 0
    if not 0 < size <= _LENGTH_OF_NAME or len(body) % size:
        raise ValueError(f"names of {size} letters in {len(body)} bytes")
    data = bytes(body)
    return [
        data[at : at + size].split(b"\0")[0].decode("latin-1")
        for at in range(0, len(data), size)
    ]


def _text(kind: int, body: memoryview) -> str:
    if kind not in _TEXTS:
        raise ValueError(f"an element of kind {kind} where a text is due")
    return bytes(body[:_LENGTH_OF_NAME]).decode(_TEXTS[kind], "replace")
