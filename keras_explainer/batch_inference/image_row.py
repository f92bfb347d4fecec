"""`ImageRow`: one image of a dataset, as it is stored."""

from __future__ import annotations

from dataclasses import dataclass

MAX_BYTES = 100 * 2**20
"""Of one encoded image; a larger one is not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRow:
    """An image, or why there is none.

    Attributes:
        row: Its number in its file (Parquet, TFRecord) or shard (image files), from 0.
        image_id: Its name in the dataset.
        data: The encoded image; empty where it cannot be read.
        fault: Why it cannot be read, or None.
    """

    row: int
    image_id: str
    data: bytes = b""
    fault: str | None = None


def image_row(row: int, image_id: str, data: bytes | None) -> ImageRow:
    """A row of bytes that a file holds: None and what is too large are faults."""
    if not data:
        fault = "There is no image." if data is None else "The image has 0 bytes."
        return ImageRow(row=row, image_id=image_id, fault=fault)
    if len(data) > MAX_BYTES:
        fault = f"The image has {len(data)} bytes, more than {MAX_BYTES}."
        return ImageRow(row=row, image_id=image_id, fault=fault)
    return ImageRow(row=row, image_id=image_id, data=data)
