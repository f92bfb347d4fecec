"""Spark: a real master with two workers, which die, lack the model, read nonsense."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keras_explainer.batch_inference import explain_dataset, read_results
from keras_explainer.errors import DataError, DatasetJobError

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(
        importlib.util.find_spec("pyspark") is None, reason="PySpark is not installed"
    ),
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    from benchmarks.dataset.standalone_cluster import StandaloneCluster

    with StandaloneCluster(tmp_path_factory.mktemp("cluster"), 2) as made:
        yield made


@pytest.fixture
def start(cluster):
    """Starts the command with Spark, in a process of its own."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    made = []

    def command(model, given, output, *options):
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_explainer.cli", "explain-dataset", str(model)]
            + ["--input", str(given), "--output", str(output), "--engine", "spark"]
            + ["--master", cluster.master, "--workers", "2", *options],
            env={**cluster.environment, "PYTHONPATH": path.rstrip(os.pathsep)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        made.append(process)
        return process

    yield command
    for process in made:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def ended(process, code=0):
    out, err = process.communicate(timeout=1800)
    assert process.returncode == code, out + err[-5000:]
    return out, err


def wait_for_parts(process, output, count):
    end = time.monotonic() + 1800
    while len(made := list(output.glob("part-*.parquet"))) < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.05)
    return len(made)


@pytest.fixture
def many(tmp_path, encoded):
    """400 image files, every tenth of which is no image."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(400):
        data = b"no image" if number % 10 == 9 else encoded[number % 10]
        (folder / f"{number:03}.png").write_bytes(data)
    return folder


def assert_each_once(output, folder):
    rows = list(read_results(output))
    names = Counter(path.name for path in folder.iterdir())
    assert Counter(row.image_id for row in rows) == names
    bad = {row.image_id for row in rows if row.status != "ok"}
    assert bad == {f"{number:03}.png" for number in range(9, 400, 10)}
    assert json.loads((output / "_manifest.json").read_text())["status"] == "complete"


def test_a_worker_that_is_killed_in_the_middle(cluster, start, model, many, tmp_path):
    output = tmp_path / "out"
    process = start(model, many, output, "--rows-per-part", "4")
    before = wait_for_parts(process, output, 6)
    cluster.kill_worker(0)
    assert before < 90, "the job was nearly done: give it more images"
    _, said = ended(process)
    assert "Lost executor" in said
    assert_each_once(output, many)
    assert not list(output.glob(".tmp-*"))
    cluster.add_worker(2)  # for the tests that follow


def test_a_driver_that_is_killed_and_started_again(start, model, many, tmp_path):
    output = tmp_path / "out"
    process = start(model, many, output, "--rows-per-part", "4")
    wait_for_parts(process, output, 3)
    os.killpg(process.pid, signal.SIGKILL)  # with its Java
    process.communicate()
    kept = {
        path.name: path.stat().st_mtime_ns for path in output.glob("part-*.parquet")
    }
    assert 3 <= len(kept) < 100
    ended(start(model, many, output))
    for name, time_ns in kept.items():
        assert (output / name).stat().st_mtime_ns == time_ns
    assert_each_once(output, many)


# On Spark's own threads, which run the same stages and start sooner


@pytest.fixture(scope="module")
def session():
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYTHONPATH", str(ROOT))
        made = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .getOrCreate()
        )
        yield made
        made.stop()


def on_spark(model, given, output, **settings):
    return explain_dataset(model, given, output, engine="spark", **settings)


def assert_same_rows(found, expected):
    from compared import assert_same

    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert replace(mine, explanation=None) == replace(theirs, explanation=None)
        if theirs.explanation is not None:
            assert_same(mine.explanation.to_dict(), theirs.explanation.to_dict())


def test_as_the_local_engine_says(session, model, photos, tmp_path):
    """Also with the model sent along; the session goes on."""
    explain_dataset(model, photos, tmp_path / "local", rows_per_part=5)
    expected = list(read_results(tmp_path / "local"))
    manifest = on_spark(
        model, photos, tmp_path / "out", rows_per_part=5, ship_model=True
    )
    assert (manifest["rows"], manifest["errors"]) == (12, 2)
    # Threads are shared out differently, and so sums are rounded.
    assert_same_rows(list(read_results(tmp_path / "out")), expected)
    assert session.range(3).count() == 3


def test_workers_without_the_model(session, model, photos, tmp_path):
    """It goes after the driver has seen it, as where only that one has it."""
    away = tmp_path / "away"
    shutil.copytree(model, away)

    def gone(done, total):
        shutil.rmtree(away, ignore_errors=True)

    with pytest.raises(DatasetJobError, match=r"has no SavedModel at .*--ship-model"):
        on_spark(away, photos, tmp_path / "out", progress=gone)
    shutil.copytree(model, away)
    assert on_spark(away, photos, tmp_path / "out")["rows"] == 12


def test_an_unreadable_file_and_records(session, model, encoded, tmp_path):
    import tensorflow as tf

    folder = tmp_path / "parquet"
    folder.mkdir()
    table = pa.table({"image": encoded, "id": [f"i{at}" for at in range(10)]})
    pq.write_table(table, folder / "a.parquet")
    (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-50])
    output = tmp_path / "out"
    with pytest.raises(DataError, match="1 shards cannot be read to their end"):
        on_spark(model, folder, output)
    *good, bad = read_results(output)
    assert [row.image_id for row in good] == [f"i{at}" for at in range(10)]
    assert {row.status for row in good} == {"ok"}
    assert (bad.image_id, bad.status) == ("b.parquet", "unreadable")

    path = tmp_path / "x.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as file:
        for data in encoded:
            value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            features = tf.train.Features(feature={"image/encoded": value})
            file.write(tf.train.Example(features=features).SerializeToString())
    on_spark(model, path, tmp_path / "records")
    found = list(read_results(tmp_path / "records"))
    assert [row.image_id for row in found] == [f"x.tfrecord:{at}" for at in range(10)]
    named = [replace(row, image_id=f"i{at}") for at, row in enumerate(found)]
    assert_same_rows(
        [
            replace(row, explanation=replace(row.explanation, image=row.image_id))
            for row in named
        ],
        good,
    )


def test_a_disk_that_is_full(session, model, photos, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        output = disk / "out"
        with pytest.raises(DatasetJobError, match="No space left on device"):
            on_spark(model, photos, output, rows_per_part=1)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        on_spark(model, photos, output)
        assert len(list(read_results(output))) == 12
        assert not list(output.glob(".tmp-*"))
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_no_images(session, model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no images"):
        on_spark(model, tmp_path / "empty", tmp_path / "out")
