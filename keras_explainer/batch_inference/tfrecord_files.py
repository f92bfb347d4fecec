"""`TfRecordFiles`: a dataset of TFRecord files of `tf.train.Example`s."""

from __future__ import annotations

import gzip
import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from keras_explainer.batch_inference.dataset_input import pieces
from keras_explainer.batch_inference.file_walk import name_as_text, walk_files
from keras_explainer.batch_inference.image_row import ImageRow, image_row
from keras_explainer.batch_inference.shard import Shard, UnreadableShardError

logger = logging.getLogger(__name__)

IMAGE_KEYS = ("image/encoded", "image", "image_raw", "encoded")
ID_KEYS = ("image_id", "image/filename", "image/source_id", "filename", "id")
# Of a record: its length in 8 bytes, a checksum of them in 4; one of the data behind.
_HEAD, _TAIL = 12, 4
_FAULTS = (OSError, EOFError, zlib.error)


class TfRecordFiles:
    """TFRecord files, plain or gzipped; a record is an image with its features.

    Args:
        root: A file, or a folder with files at any depth that `is_tfrecord` knows.
        image_key: Of the feature with the encoded image; None for the first of
            `IMAGE_KEYS` that a record has.
        id_key: Of the feature with the name; None for the first of `ID_KEYS`, or else
            `FILE:NUMBER`.
    """

    kind = "tfrecord"

    def __init__(self, root: Path, image_key: str | None, id_key: str | None) -> None:
        self.root = root
        self.folder = root.parent if root.is_file() else root
        self.image_keys = IMAGE_KEYS if image_key is None else (image_key,)
        self.id_keys = ID_KEYS if id_key is None else (id_key,)

    def count(self) -> int:
        """Records of all files."""
        found = 0
        for file in self._files():
            records, fault = self._records(file)
            found += records + (fault is not None)
        return found

    def shards(self, rows: int) -> Iterator[Shard]:
        """See `DatasetInput`; the rest of a damaged file is a shard of its own."""
        number = 0
        for file in self._files():
            records, fault = self._records(file)
            for start, count in pieces(0, records, rows):
                yield Shard(number=number, path=file, start=start, count=count)
                number += 1
            if fault is not None:
                logger.warning("%s: %s", file, fault)
                yield Shard(number=number, path=file, start=records, count=None)
                number += 1

    def read(self, shard: Shard) -> Iterator[ImageRow]:
        """See `DatasetInput`."""
        import tensorflow as tf

        at = shard.start
        path = str(self.folder / shard.path)
        records = tf.data.TFRecordDataset(path, "GZIP" if _is_gzip(path) else "")
        chosen = records.skip(shard.start)
        if shard.count is not None:
            chosen = chosen.take(shard.count)
        try:
            for record in chosen.as_numpy_iterator():
                yield self._row(at, shard.path, record)
                at += 1
        except tf.errors.OpError as error:
            raise UnreadableShardError(str(error.message)[:500], at) from error
        if shard.count is not None and at < shard.start + shard.count:
            raise UnreadableShardError(
                "It has fewer records now than when the job was planned.", at
            )
        if shard.count is None and at == shard.start:
            _, fault = self._records(shard.path)
            if fault is not None:
                raise UnreadableShardError(fault, at)

    def _files(self) -> Iterator[str]:
        for file in walk_files(self.root, ()):
            if self.root.is_file() or is_tfrecord(file):
                yield file

    def _row(self, row: int, file: str, record: bytes) -> ImageRow:
        from google.protobuf.message import DecodeError
        from tensorflow.core.example.example_pb2 import Example

        name = f"{name_as_text(file)}:{row}"
        example = Example()
        try:
            example.ParseFromString(record)
        except DecodeError:
            why = "The record is no tf.train.Example."
            return ImageRow(row=row, image_id=name, fault=why)
        features = example.features.feature
        for key in self.id_keys:
            if key in features:
                name = _text(features[key]) or name
                break
        for key in self.image_keys:
            if key in features:
                given = features[key].bytes_list.value
                return image_row(row, name, given[0] if given else None)
        keys = ", ".join(sorted(features))[:200] or "none"
        why = (
            f"The record has no feature {' or '.join(self.image_keys)}, it has {keys}."
        )
        return ImageRow(row=row, image_id=name, fault=why)

    def _records(self, file: str) -> tuple[int, str | None]:
        """How many whole records a file has, and what is wrong with what follows."""
        path = self.folder / file
        number = 0
        try:
            opened: Any = gzip.open if _is_gzip(str(path)) else open
            with opened(path, "rb") as handle:
                size = None if _is_gzip(str(path)) else path.stat().st_size
                for _ in _lengths(cast(BinaryIO, handle), size):
                    number += 1
        except _FAULTS as error:
            return number, f"The file is damaged: {error}."
        return number, None


def is_tfrecord(name: str) -> bool:
    """Whether a file has the name of one, such as `train.tfrecord-00000-of-00010`."""
    return ".tfrec" in Path(name).name.lower()


def _lengths(handle: BinaryIO, size: int | None) -> Iterator[int]:
    """The length of each whole record; only their heads are read."""
    end = 0
    while head := handle.read(_HEAD):
        if len(head) < _HEAD:
            raise EOFError("it ends within a record")
        length, checksum = struct.unpack("<QI", head)
        if checksum != _masked_crc32c(head[:8]):
            raise OSError(f"the checksum at byte {end} is wrong")
        end += _HEAD + length + _TAIL
        if size is not None and end > size:
            raise EOFError("it ends within a record")
        if size is None:
            rest = length + _TAIL
            while rest and (some := handle.read(min(rest, 1 << 20))):
                rest -= len(some)
            if rest:
                raise EOFError("it ends within a record")
        else:
            handle.seek(end)
        yield length


def _masked_crc32c(data: bytes) -> int:
    """The checksum that a TFRecord has of a record's length: CRC-32C, masked."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _is_gzip(path: str) -> bool:
    return path.lower().endswith(".gz")


def _text(feature: Any) -> str:
    if feature.bytes_list.value:
        return bytes(feature.bytes_list.value[0]).decode("utf-8", "backslashreplace")
    numbers = feature.int64_list.value
    return str(numbers[0]) if numbers else ""
