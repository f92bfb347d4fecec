"""Jobs on worker processes: every image exactly once, whatever dies or fails."""

from __future__ import annotations

import errno
import os
import resource
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from job_output import expected, ids, leftovers

from keras_explainer.batch_inference import explain_dataset, read_results
from keras_explainer.errors import DataError, DatasetJobError


def test_a_worker_that_dies_is_replaced(photos, light, odd_workers, tmp_path):
    mark = tmp_path / "died"
    odd_workers(f"once {mark}")
    manifest = explain_dataset(
        light, photos, tmp_path / "out", workers=2, rows_per_part=3
    )
    assert mark.exists()
    assert (manifest["rows"], manifest["errors"], manifest["unreadable"]) == (12, 2, 0)
    assert ids(tmp_path / "out") == expected(photos)


def test_a_shard_that_kills_all_workers(photos, light, odd_workers, tmp_path):
    (photos / "a" / "poison.png").write_bytes(b"poison")
    odd_workers("poison")
    output = tmp_path / "out"
    with pytest.raises(DataError, match=r"1 shards cannot be read.*tries these"):
        explain_dataset(light, photos, output, workers=2, rows_per_part=4)
    rows = list(read_results(output))
    (bad,) = [row for row in rows if row.status == "unreadable"]
    assert "3 workers died at this shard, one after the other: signal 9" in bad.error
    # The rest is there, and the shard is tried again.
    assert len(rows) == 13 - 3  # its four images are the one row
    odd_workers("right")
    manifest = explain_dataset(light, photos, output)
    assert (manifest["rows"], manifest["unreadable"]) == (13, 0)
    assert ids(output) == expected(photos)


def test_workers_that_never_start(photos, light, odd_workers, tmp_path):
    odd_workers("unready")
    with pytest.raises(
        DatasetJobError,
        match=r"3 workers died before they were ready: signal 9; out of memory, or so",
    ):
        explain_dataset(light, photos, tmp_path / "out", workers=2, rows_per_part=3)
    assert not list((tmp_path / "out").glob("part-*"))


def test_an_unreadable_shard(light, odd_workers, tmp_path, encoded):
    odd_workers("right")
    folder, output = tmp_path / "parquet", tmp_path / "out"
    folder.mkdir()
    table = pa.table({"image": encoded, "id": [f"i{at}" for at in range(10)]})
    pq.write_table(table, folder / "a.parquet")
    pq.write_table(table.slice(0, 4), folder / "b.parquet")
    whole = (folder / "b.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(whole[:-100])
    with pytest.raises(DataError, match=r"shard 1; rows with status 'unreadable'"):
        explain_dataset(light, folder, output, rows_per_part=100)
    *good, bad = read_results(output)
    assert [row.image_id for row in good] == [f"i{at}" for at in range(10)]
    assert (bad.image_id, bad.shard, bad.row) == ("b.parquet", 1, 0)
    assert bad.status == "unreadable" and "Parquet" in bad.error
    (folder / "b.parquet").write_bytes(whole)
    manifest = explain_dataset(light, folder, output)
    assert (manifest["rows"], manifest["unreadable"]) == (14, 0)
    assert len({(row.shard, row.row) for row in read_results(output)}) == 14


def test_a_part_that_cannot_be_written(photos, light, odd_workers, tmp_path):
    """Files of more than 4 kB fail, as they would on a disk that is full."""
    odd_workers("right")
    output = tmp_path / "out"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(
            DatasetJobError, match=rf"{os.strerror(errno.EFBIG)}.*the same command goes"
        ):
            explain_dataset(light, photos, output, workers=2, rows_per_part=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not leftovers(output)
    assert not list(output.glob("part-*"))
    explain_dataset(light, photos, output)
    assert ids(output) == expected(photos)


def test_a_worker_that_is_ended_while_it_writes(photos, light, odd_workers, tmp_path):
    odd_workers(f"full {tmp_path / 'mark'}")
    output = tmp_path / "out"
    with pytest.raises(DatasetJobError, match=os.strerror(errno.ENOSPC)):
        explain_dataset(light, photos, output, workers=2, rows_per_part=3)
    assert not leftovers(output)
    odd_workers("right")
    explain_dataset(light, photos, output)
    assert ids(output) == expected(photos)


@pytest.mark.slow
def test_a_full_disk(photos, model, tmp_path):
    """A file system of 128 kB, which is full after some parts."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(DatasetJobError, match=os.strerror(errno.ENOSPC)):
            explain_dataset(model, photos, disk / "out", rows_per_part=1)
        made = list((disk / "out").glob("part-*.parquet"))
        assert 0 < len(made) < 12
        assert not leftovers(disk / "out")
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        explain_dataset(model, photos, disk / "out")
        assert ids(disk / "out") == expected(photos)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
