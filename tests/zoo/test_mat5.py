"""The reader of .mat files: SciPy's on what SciPy writes, a refusal on what lies."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

scipy_io = pytest.importorskip("scipy.io")
sparse = pytest.importorskip("scipy.sparse")

from keras_explainer.teachers.networks.mat5 import read_mat5  # noqa: E402

pytestmark = pytest.mark.one_backend
NUMBERS = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "bool"]


def written(content: dict, packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    scipy_io.savemat(buffer, content, do_compression=packed)
    return buffer.getvalue()


def read(data: bytes, *names: str, most: int = 1 << 24):
    return read_mat5(data, names, most)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (2, 3, 4), (2, 1, 3, 5), (0, 4)])
def test_numbers(shape, dtype, packed):
    random = np.random.default_rng(0)
    values = random.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    found = read(written({"a": values, "b": values + values}, packed), "a")
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], values)
    assert found["a"].dtype.itemsize <= values.dtype.itemsize


@pytest.mark.parametrize("packed", [False, True])
def test_structs_cells_and_texts(packed):
    cells = np.empty((1, 3), object)
    cells[0, :] = [{"x": 1.5, "t": "text é"}, np.arange(3.0), "short"]
    content = {"s": {"inner": {"deep": np.eye(2)}, "empty": []}, "c": cells}
    found = read(written(content, packed), "s", "c")
    np.testing.assert_array_equal(found["s"]["inner"]["deep"], np.eye(2))
    assert found["s"]["empty"].size == 0
    first, numbers, text = found["c"]
    assert first["t"] == "text é" and first["x"].item() == 1.5
    np.testing.assert_array_equal(numbers.ravel(), np.arange(3.0))
    assert text == "short"


def test_an_array_of_structs():
    many = np.zeros((1, 2), [("x", object)])
    many["x"][0, :] = ["one", "two"]
    assert read(written({"a": many}), "a")["a"] == [{"x": "one"}, {"x": "two"}]


def test_what_is_no_number_text_struct_or_cell_is_nothing():
    found = read(written({"a": sparse.eye(3).tocsc(), "b": 1.0}), "a", "b")
    assert found["a"] is None and found["b"].item() == 1.0


def big_endian() -> bytes:
    values = np.arange(6, dtype=">f8").reshape(2, 3)
    parts = struct.pack(">IIII", 6, 8, 6, 0)
    parts += struct.pack(">IIii", 5, 8, 2, 3)
    parts += struct.pack(">HH4s", 1, 1, b"a")
    parts += struct.pack(">II", 9, 48) + values.tobytes(order="F")
    head = b"MATLAB 5.0".ljust(124) + b"\x01\x00MI"
    return head + struct.pack(">II", 14, len(parts)) + parts


def test_the_other_byte_order():
    found = read(big_endian(), "a")["a"]
    np.testing.assert_array_equal(found, np.arange(6).reshape(2, 3))


def test_a_bomb_is_not_unpacked():
    data = written({"a": np.zeros(1 << 21)}, packed=True)
    assert len(data) < 1 << 16
    with pytest.raises(ValueError, match="unpacks to more"):
        read(data, "a", most=1 << 20)


def lie(data: bytes, old: bytes, new: bytes) -> bytes:
    assert data.count(old) >= 1
    return data.replace(old, new, 1)


DIMS = struct.pack("<IIii", 5, 8, 2, 3)


@pytest.mark.parametrize(
    ("new", "match"),
    [
        (struct.pack("<IIii", 5, 8, 2**31 - 1, 2**31 - 1), "numbers for"),
        (struct.pack("<IIii", 5, 8, -2, -3), "a matrix of"),
        (struct.pack("<IIii", 5, 2**32 - 1, 2, 3), "ends in the middle"),
        (struct.pack("<IIii", 99, 8, 2, 3), "kind 99"),
        (struct.pack("<IIii", 5 | 6 << 16, 8, 2, 3), "small element"),
    ],
)
def test_lengths_that_lie(new, match):
    data = written({"a": np.arange(6.0).reshape(2, 3)})
    with pytest.raises(ValueError, match=match):
        read(lie(data, DIMS, new), "a")


def test_more_cells_than_there_are_bytes():
    cells = np.empty((2, 3), object)
    cells[:] = 1.0
    new = struct.pack("<IIii", 5, 8, 2**30, 2**30)
    with pytest.raises(ValueError, match="values in"):
        read(lie(written({"a": cells}), DIMS, new), "a")


def test_cells_in_cells_without_end():
    value: object = 1.0
    for _ in range(20):
        cell = np.empty((1, 1), object)
        cell[0, 0] = value
        value = cell
    with pytest.raises(ValueError, match="more than 16 others"):
        read(written({"a": value}), "a")


def test_every_cut_is_noticed():
    data = written({"a": np.arange(6.0)}, packed=True)
    for end in range(129, len(data)):
        with pytest.raises(ValueError, match="damaged"):
            read(data[:end], "a")
    body = zlib.compress(b"")
    none = data[:128] + struct.pack("<II", 15, len(body)) + body
    assert read(none, "a") == {}
