"""Datasets as they are stored: what is listed, read, and refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keras_explainer.batch_inference.dataset_input import pieces
from keras_explainer.batch_inference.open_input import open_input
from keras_explainer.batch_inference.shard import Shard, UnreadableShardError
from keras_explainer.errors import ConfigError, DataError


def read_all(given, rows):
    """{(file, row): image row} of all shards; shards must not share a row."""
    found = {}
    for number, shard in enumerate(given.shards(rows)):
        assert shard.number == number
        assert Shard.of_json(shard.to_json()) == shard
        read = list(given.read(shard))
        assert shard.count in (None, len(read))
        assert len(read) <= rows
        for row in read:
            key = (number if shard.files else shard.path, row.row)
            assert key not in found
            found[key] = row
    return found


@pytest.mark.parametrize(("count", "rows"), [(1, 5), (7, 3), (64, 32), (65, 32)])
def test_pieces_cover_all_and_are_about_equal(count, rows):
    made = list(pieces(10, count, rows))
    assert [start for start, _ in made] == [
        10 + sum(size for _, size in made[:at]) for at in range(len(made))
    ]
    sizes = [size for _, size in made]
    assert sum(sizes) == count
    assert max(sizes) <= rows
    assert max(sizes) - min(sizes) <= 1


# Image files


def test_image_files(photos, encoded):
    given = open_input(photos)
    assert given.kind == "images"
    assert given.count() == 12
    found = {row.image_id: row for row in read_all(given, 5).values()}
    assert list(found) == sorted(found, key=lambda name: (name.count("/") > 0, name))
    assert len(found) == 12
    for number, data in enumerate(encoded):
        assert found[f"{'b' if number % 2 else 'a'}/{number}.png"].data == data
    assert found["a/none.jpg"].data == b"no image"
    assert found["c.png"].fault == "The image has 0 bytes."


def test_one_image_file(photos):
    given = open_input(photos / "a" / "0.png")
    assert [row.image_id for row in read_all(given, 5).values()] == ["0.png"]


def test_files_that_are_none(photos, monkeypatch):
    os.mkfifo(photos / "pipe.png")
    (photos / "out.png").symlink_to("/etc/passwd")
    (photos / "gone.png").symlink_to(photos / "nothing")
    (photos / ".hidden.png").write_bytes(b"x")
    (photos / "_temporary").mkdir()
    (photos / "_temporary" / "half.png").write_bytes(b"x")
    monkeypatch.setattr("keras_explainer.batch_inference.image_files.MAX_BYTES", 400)
    (photos / "large.png").write_bytes(b"x" * 401)
    name = os.fsdecode(b"odd \xff.png")
    (photos / name).write_bytes(b"y")
    found = {row.image_id: row for row in read_all(open_input(photos), 5).values()}
    assert "is not a regular file" in found["pipe.png"].fault
    assert "leaves the folder" in found["out.png"].fault
    assert "No such file" in found["gone.png"].fault
    assert "has 401 bytes, more than 400" in found["large.png"].fault
    assert found["odd \\xff.png"].data == b"y"
    assert not {".hidden.png", "_temporary/half.png"} & set(found)


def test_folders_that_are_links_are_not_followed_but_named(photos, caplog):
    (photos / "again").symlink_to(photos / "a")
    assert open_input(photos).count() == 12
    assert "again is not followed" in caplog.text


# Parquet


@pytest.fixture
def parquet(tmp_path: Path, encoded: list[bytes]) -> Path:
    """Two files of row groups of 3, with a missing image and names."""
    folder = tmp_path / "parquet"
    folder.mkdir()
    for part, images in (("a", encoded[:7]), ("b", [None, *encoded[7:]])):
        table = pa.table(
            {
                "label": list(range(len(images))),
                "content": pa.array(images, pa.binary()),
                "id": [f"{part}{at}" for at in range(len(images))],
            }
        )
        pq.write_table(table, folder / f"{part}.parquet", row_group_size=3)
    return folder


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_parquet(parquet, encoded, rows):
    given = open_input(parquet)
    assert (given.kind, given.image_column, given.id_column) == (
        "parquet",
        "content",
        "id",
    )
    assert given.count() == 11
    found = list(read_all(given, rows).values())
    assert [row.image_id for row in found] == [
        *(f"a{at}" for at in range(7)),
        *(f"b{at}" for at in range(4)),
    ]
    assert found[7].fault == "There is no image."
    assert [row.data for row in found if not row.fault] == encoded
    named = open_input(parquet, id_column="label")
    assert next(iter(read_all(named, rows).values())).image_id == "0"


def test_parquet_with_structs_as_of_image_datasets(tmp_path, encoded):
    images = [{"bytes": encoded[0], "path": "x"}, None, {"bytes": None, "path": "y"}]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"image": pa.array(images, kind)}), path)
    found = list(read_all(open_input(path), 2).values())
    assert [row.data for row in found] == [encoded[0], b"", b""]
    assert [row.fault for row in found] == [None, *["There is no image."] * 2]
    assert [row.image_id for row in found] == [f"train.parquet:{at}" for at in range(3)]


def test_a_damaged_parquet_file_is_a_shard_of_unknown_size(parquet, caplog):
    (parquet / "b.parquet").write_bytes(b"PAR1 and no more")
    given = open_input(parquet)
    assert given.count() == 7 + 1
    shards = list(given.shards(100))
    assert [(shard.path, shard.count) for shard in shards] == [
        *[("a.parquet", 3), ("a.parquet", 3), ("a.parquet", 1)],
        ("b.parquet", None),
    ]
    with pytest.raises(UnreadableShardError, match="Parquet"):
        list(given.read(shards[-1]))


def test_a_damaged_page_ends_its_shard_alone(tmp_path, encoded):
    """The images before it are read, and the row says where it broke."""
    path = tmp_path / "x.parquet"
    images = [bytes([at]) * 200_000 for at in range(80)]
    table = pa.table({"image": pa.array(images, pa.binary())})
    pq.write_table(
        table,
        path,
        row_group_size=40,
        compression="none",
        use_dictionary=False,
        write_page_checksum=False,
        data_page_size=400_000,
    )
    about = pq.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    # The lengths of the images in the middle of the second row group are nonsense now.
    middle = about.data_page_offset + about.total_compressed_size // 2
    data[middle : middle + 500_000] = b"\xff" * 500_000
    path.write_bytes(data)
    given = open_input(path)
    first, second = given.shards(40)
    assert len(list(given.read(first))) == 40
    read = []
    with pytest.raises(UnreadableShardError) as caught:
        for row in given.read(second):
            read.append(row)
    assert caught.value.row == 40 + len(read)


def test_parquet_that_changed_since_the_plan(parquet):
    given = open_input(parquet)
    (first, *_) = given.shards(100)
    table = pq.read_table(parquet / "a.parquet")
    pq.write_table(table.slice(0, 2), parquet / "a.parquet")
    with pytest.raises(UnreadableShardError, match="2 rows now, fewer") as caught:
        list(given.read(first))
    assert caught.value.row == 2
    pq.write_table(table.drop_columns("content"), parquet / "a.parquet")
    with pytest.raises(UnreadableShardError, match="no column 'content', only label"):
        list(given.read(first))


def test_parquet_columns_that_are_not_clear(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [b"x"], "image": [b"y"]}), path)
    with pytest.raises(ConfigError, match=r"several columns of bytes.*image"):
        open_input(path)
    assert open_input(path, image_column="a").id_column == ""
    pq.write_table(pa.table({"a": ["x"]}), path)
    with pytest.raises(DataError, match="no column of bytes"):
        open_input(path)


# TFRecord


def record(tf, **features):
    made = {}
    for name, value in features.items():
        if isinstance(value, bytes):
            value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        else:
            value = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        made[name.replace("__", "/")] = value
    example = tf.train.Example(features=tf.train.Features(feature=made))
    return example.SerializeToString()


@pytest.fixture
def records(tmp_path: Path, encoded: list[bytes]) -> Path:
    """Seven in a plain file, five in a gzipped one, two of which have no image."""
    tf = pytest.importorskip("tensorflow")
    folder = tmp_path / "records"
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "x.tfrecord-00000-of-00001")) as file:
        for number, data in enumerate(encoded[:7]):
            file.write(record(tf, image__encoded=data, image_id=number))
    with tf.io.TFRecordWriter(str(folder / "y.tfrecord.gz"), "GZIP") as file:
        for data in encoded[7:]:
            file.write(record(tf, image=data, filename=b"y"))
        file.write(b"no example")
        file.write(record(tf, other=b"x"))
    (folder / "README").write_text("of these records")
    return folder


@pytest.mark.parametrize("rows", [2, 100])
def test_tfrecord(records, encoded, rows):
    given = open_input(records)
    assert given.kind == "tfrecord"
    assert given.count() == 12
    found = list(read_all(given, rows).values())
    assert [row.data for row in found if not row.fault] == encoded
    assert [row.image_id for row in found] == [
        *map(str, range(7)),
        *["y"] * 3,
        *(f"y.tfrecord.gz:{at}" for at in (3, 4)),
    ]
    assert found[-2].fault == "The record is no tf.train.Example."
    assert "no feature image/encoded or image or" in found[-1].fault
    assert found[-1].fault.endswith("it has other.")


def test_a_tfrecord_that_ends_in_the_middle(records, caplog):
    path = records / "x.tfrecord-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-30])
    given = open_input(records)
    shards = list(given.shards(100))
    assert [(s.start, s.count) for s in shards] == [(0, 6), (6, None), (0, 5)]
    assert len(list(given.read(shards[0]))) == 6
    with pytest.raises(UnreadableShardError) as caught:
        list(given.read(shards[1]))
    assert caught.value.row == 6
    assert "ends within a record" in caplog.text


def test_a_gzipped_tfrecord_that_is_damaged(records):
    path = records / "y.tfrecord.gz"
    whole = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(whole)[:-20])
    given = open_input(path)
    *_, last = given.shards(100)
    assert last.count is None
    with pytest.raises(UnreadableShardError):
        list(given.read(last))


@pytest.mark.parametrize("place", [0, 8, 40])
def test_a_tfrecord_with_a_wrong_byte(records, place):
    """In a length, in its checksum, in the data: the rest of the file is lost."""
    path = records / "x.tfrecord-00000-of-00001"
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(data)
    given = open_input(path)
    *_, last = given.shards(100)
    with pytest.raises(UnreadableShardError) as caught:
        list(given.read(last))
    assert caught.value.row == 0


# What is no dataset


def test_what_is_no_dataset(tmp_path, photos):
    with pytest.raises(DataError, match="There is no file or folder"):
        open_input(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        open_input(tmp_path / "empty")
    with pytest.raises(ConfigError, match=r"got 'image'. Nearest valid: images"):
        open_input(photos, "image")
    with pytest.raises(ConfigError, match="Image files have no columns"):
        open_input(photos, image_column="x")
    with pytest.raises(DataError, match=r"No Parquet file .* can be read"):
        open_input(photos, "parquet")
