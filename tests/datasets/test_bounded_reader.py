"""BoundedReader: no more memory than the file has bytes."""

import struct
import tracemalloc
from contextlib import suppress

import pytest
from image_bytes import SIZE, noise, png, put

from keras_explainer.datasets import ImageReader
from keras_explainer.datasets.bounded_reader import BoundedReader
from keras_explainer.errors import DataError


def test_it_reads_as_any_file(tmp_path):
    path = put(tmp_path, "a", bytes(range(100)))
    with BoundedReader(path, 100) as file:
        assert file.read(10) == bytes(range(10))
        assert file.read(2**40) == bytes(range(10, 100)) and file.read(5) == b""
        file.seek(-3, 2)
        assert file.read() == bytes([97, 98, 99])
        file.seek(98)
        assert file.read(None) == bytes([98, 99])
    with pytest.raises(FileNotFoundError):
        BoundedReader(tmp_path / "none", 1)


def peak(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_asked_for_takes_no_memory(tmp_path):
    path = put(tmp_path, "a", b"x" * 100)

    def read(opened):
        with opened as file:
            assert len(file.read(2**26)) == 100

    assert peak(lambda: read(BoundedReader(path, 100))) < 2**20
    assert peak(lambda: read(path.open("rb"))) > 2**25  # as Python does it


def test_a_png_whose_pixels_declare_gigabytes(tmp_path):
    data = png(noise(60, 50))
    at = data.index(b"IDAT") - 4
    lie = data[:at] + struct.pack(">I", 2**31 - 1) + data[at + 4 :]
    path = put(tmp_path, "a.png", lie)

    def read():
        with suppress(DataError):  # whether the pixels are enough is the decoder's
            ImageReader(SIZE).read(path)

    read()  # imports
    assert peak(read) < 2**24
