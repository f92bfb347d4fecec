"""FeatureCache on disk: damaged, foreign, locked, on a full disk."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cache_checks import VIEWS, StopIt, assert_same, folder_of, interrupt_at
from small_teacher import CountedTeacher

from keras_explainer.datasets import disk_store as disk_module
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import CacheError
from keras_explainer.file_lock import FileLock

ROOT = Path(__file__).resolve().parents[2]


def truncate(path):
    with path.open("rb+") as handle:
        handle.truncate(path.stat().st_size // 2)


def other_shape(path):
    np.save(path, np.zeros((11, 3, 2), "float32"))


def other_dtype(path):
    np.save(path, np.load(path).astype("float64"))


def pickled(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


def zipped(path):
    path.write_bytes(b"PK\x03\x04" + path.read_bytes()[4:])


def header(path):
    """A header that ends in the middle of a literal."""
    data = path.read_bytes()
    path.write_bytes(data.replace(b"}", b"(", 1))


DAMAGE = {
    "zip": zipped,
    "header": header,
    "truncated": truncate,
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no array"),
    "missing": lambda path: path.unlink(),
    "another shape": other_shape,
    "another dtype": other_dtype,
    "pickle": pickled,
}


@pytest.mark.parametrize("done", ["complete", "interrupted"])
@pytest.mark.parametrize("name", ["tap.npy", "target_0.npy", "boxes.npy"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_arrays(small_teacher, source, tmp_path, damage, name, done):
    arguments = (small_teacher, source, VIEWS)
    if done == "complete":
        FeatureCache.build(*arguments, directory=tmp_path)
    else:
        with pytest.raises(StopIt):
            FeatureCache.build(
                *arguments,
                directory=tmp_path,
                batch_size=6,
                progress=interrupt_at(4),
            )
    folder = folder_of(tmp_path)
    DAMAGE[damage](folder / name)
    with pytest.raises(CacheError, match=rf"damaged: {name}.*Remove that folder"):
        FeatureCache.build(*arguments, directory=tmp_path)
    assert not (folder / "lock").exists()


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        "{}",
        '"x"',
        {"done": 12},
        {"done": -1},
        {"done": None},
        {"key": "0" * 64},
        {"schema": 99},
        {"lost": "x"},
        {"lost": -1},
        {"total": float("inf")},
        {"done": float("inf")},
        {"done": 3.5},
        {"done": True},
        "[" * 100_000,
    ],
    ids=lambda state: str(state)[:20],
)
def test_damaged_or_foreign_state(small_teacher, source, tmp_path, state):
    FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    path = folder_of(tmp_path) / "state.json"
    if isinstance(state, dict):
        state = json.dumps({**json.loads(path.read_text()), **state})
    path.write_text(state)
    with pytest.raises(CacheError, match=r"damaged: state.json.*Remove that folder"):
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)


def test_a_removed_cache_is_computed_anew(small_teacher, source, in_memory, tmp_path):
    cache = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    (cache.directory / "state.json").unlink()
    assert_same(
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path), in_memory
    )


HOLD = """
import sys
from pathlib import Path
from keras_explainer.errors import CacheError
from keras_explainer.file_lock import FileLock
with FileLock(Path(sys.argv[1]), "The cache", CacheError):
    print("held", flush=True)
    input()
"""


def interrupted(small_teacher, source, tmp_path):
    """The lock file's place of a cache of which four images are done."""
    with pytest.raises(StopIt):
        FeatureCache.build(
            small_teacher,
            source,
            VIEWS,
            directory=tmp_path,
            batch_size=6,
            progress=interrupt_at(4),
        )
    return folder_of(tmp_path) / "lock"


def test_the_lock_of_a_running_process_is_respected(small_teacher, source, tmp_path):
    lock = interrupted(small_teacher, source, tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(CacheError, match=f"written by process {process.pid} on"):
            FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
        assert lock.read_text().split()[0] == str(process.pid)
    finally:
        process.kill()
        process.communicate()
    # Killed, it left its file, which blocks nobody.
    assert lock.exists()
    with CountedTeacher(small_teacher) as counted:
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    assert counted.images == (11 - 4) * 3 and not lock.exists()


@pytest.mark.parametrize(
    "text",
    ["", "1", "4194305", str(os.getpid()), "\xff"],
    ids=["empty", "first process", "no process", "this process", "no number"],
)
def test_a_lock_file_that_nobody_holds_blocks_nobody(
    small_teacher, source, in_memory, tmp_path, text
):
    """Left by a process that was killed, whose number another one may have by now."""
    lock = interrupted(small_teacher, source, tmp_path)
    lock.write_text(text)
    found = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    assert_same(found, in_memory, tolerance=1e-6)
    assert not lock.exists()


def test_the_same_process_does_not_write_twice_at_a_time(
    small_teacher, source, in_memory, tmp_path
):
    def progress(done, total):
        if 0 < done < total:
            with pytest.raises(CacheError, match=f"process {os.getpid()}"):
                FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)

    found = FeatureCache.build(
        small_teacher,
        source,
        VIEWS,
        directory=tmp_path,
        batch_size=9,
        progress=progress,
    )
    assert_same(found, in_memory, tolerance=1e-6)


def test_a_complete_cache_is_read_whoever_holds_a_lock(
    small_teacher, source, in_memory, tmp_path
):
    cache = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    (cache.directory / "lock").write_text(str(os.getpid()))
    assert_same(
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path), in_memory
    )
    assert (cache.directory / "lock").exists()


def test_a_cache_that_another_process_finished_meanwhile_is_kept(
    small_teacher, source, in_memory, tmp_path, monkeypatch
):
    """It was finished between the look at its state and the lock."""

    def late(*arguments):
        monkeypatch.undo()
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
        return FileLock(*arguments)

    monkeypatch.setattr(disk_module, "FileLock", late)
    with CountedTeacher(small_teacher) as counted:
        found = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    assert counted.images == 33
    assert_same(found, in_memory)
    assert not (found.directory / "lock").exists() and not found.tap.flags.writeable


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_is_full_at_the_start(
    small_teacher, source, in_memory, tmp_path, monkeypatch
):
    taken = []

    def allocate(*arguments):
        taken.append(arguments)
        if len(taken) == 2:
            full()

    monkeypatch.setattr(os, "posix_fallocate", allocate)
    with pytest.raises(CacheError, match=r"No space left.*float16"):
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    # What fitted is not left behind on the full disk.
    assert list(folder_of(tmp_path).iterdir()) == []
    monkeypatch.undo()
    assert_same(
        FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path), in_memory
    )


def test_a_disk_that_fills_up_on_the_way(
    small_teacher, source, in_memory, tmp_path, monkeypatch
):
    real = disk_module.files.write_json

    def write_json(path, value):
        if value["done"] > 4:
            full()
        real(path, value)

    monkeypatch.setattr(disk_module.files, "write_json", write_json)
    with pytest.raises(CacheError, match=r"No space left.*float16"):
        FeatureCache.build(
            small_teacher, source, VIEWS, directory=tmp_path, batch_size=6
        )
    assert not (folder_of(tmp_path) / "lock").exists()
    monkeypatch.undo()
    with CountedTeacher(small_teacher) as counted:
        found = FeatureCache.build(
            small_teacher, source, VIEWS, directory=tmp_path, batch_size=6
        )
    assert counted.images == (11 - 4) * 3
    assert_same(found, in_memory, tolerance=1e-6)


def test_room_is_taken_before_the_teacher_runs(small_teacher, source, tmp_path):
    """No sparse file: a disk that is full later would kill the process."""
    if not hasattr(os, "posix_fallocate"):
        pytest.skip("this system has no posix_fallocate")
    with pytest.raises(StopIt):
        FeatureCache.build(
            small_teacher, source, VIEWS, directory=tmp_path, progress=interrupt_at(0)
        )
    for path in folder_of(tmp_path).glob("*.npy"):
        assert path.stat().st_blocks * 512 >= path.stat().st_size


def test_a_folder_that_cannot_be_made(small_teacher, source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match="cannot be written"):
        FeatureCache.build(small_teacher, source, directory=tmp_path / "file")
