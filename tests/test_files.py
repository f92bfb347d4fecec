"""Files: the old one or the new one, never half."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from pathlib import Path

import pytest

from keras_explainer import files


def test_bytes_text_and_json(tmp_path):
    files.write_bytes(tmp_path / "a", b"\0\r\n\xff")
    assert (tmp_path / "a").read_bytes() == b"\0\r\n\xff"
    files.write_text(tmp_path / "b.txt", "grün\n")
    assert (tmp_path / "b.txt").read_bytes() == "grün\n".encode()
    value = {"a": [1, None, 2.5], "b": "ü"}
    files.write_json(tmp_path / "c.json", value)
    text = (tmp_path / "c.json").read_text(encoding="utf-8")
    assert json.loads(text) == value and text.endswith("\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.txt", "c.json"]


def test_folders_are_made_and_old_files_replaced(tmp_path):
    path = tmp_path / "x" / "y" / "z.txt"
    files.write_text(path, "one")
    files.write_text(str(path), "two")
    assert path.read_text() == "two" and len(list(path.parent.iterdir())) == 1


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "model.weights.h5"
    path.write_text("old")
    with pytest.raises(type(error)), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise error
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_data_is_on_disk_before_the_name_is(tmp_path, monkeypatch):
    path, order, handles = tmp_path / "a.txt", [], []
    fsync, replace = os.fsync, os.replace

    def seen_fsync(handle):
        order.append(("fsync", os.fstat(handle).st_size))
        handles.append(os.fstat(handle).st_ino)
        fsync(handle)

    def seen_replace(source, target):
        order.append(("replace", os.stat(source).st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    files.write_text(path, "12345")
    # The file's bytes, then its name, then the folder that has the name.
    assert [what for what, _ in order] == ["fsync", "replace", "fsync"]
    assert order[:2] == [("fsync", 5), ("replace", 5)]
    assert handles[1] == os.stat(tmp_path).st_ino


@pytest.mark.parametrize("name", ["a.keras", "b.weights.h5", "c", "d.e.f.tar.gz"])
def test_the_temporary_name_keeps_the_suffixes_and_the_folder(tmp_path, name):
    with files.atomic_path(tmp_path / name) as temporary:
        assert temporary.parent == tmp_path and temporary.name != name
        assert temporary.name.startswith(".")
        assert temporary.suffixes[-2:] == (tmp_path / name).suffixes[-2:]
        temporary.write_text("x")
    assert (tmp_path / name).read_text() == "x"


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_the_usual_ones(tmp_path, mask):
    before = os.umask(mask)
    try:
        files.write_text(tmp_path / "a", "x")
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_numbers_that_are_no_json_are_refused(tmp_path, value):
    files.write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"new": value})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}


def test_save_atomically(tmp_path):
    path = tmp_path / "a.bin"
    given = []

    def save(temporary):
        given.append(temporary)
        temporary.write_bytes(b"abc")

    files.save_atomically(path, save)
    assert path.read_bytes() == b"abc" and given[0] != path
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "x" / "y"
    with files.atomic_folder(path) as temporary:
        (temporary / "sub").mkdir()
        (temporary / "sub" / "a").write_text("a")
        assert temporary.parent == path.parent and not path.exists()
    assert (path / "sub" / "a").read_text() == "a"
    assert [entry.name for entry in path.parent.iterdir()] == ["y"]
    with pytest.raises(FileExistsError), files.atomic_folder(path) as temporary:
        (temporary / "b").write_text("b")
    assert [entry.name for entry in path.iterdir()] == ["sub"]
    with pytest.raises(KeyError), files.atomic_folder(tmp_path / "new" / "er" / "z"):
        raise KeyError
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_is_replaced_as_a_whole(tmp_path, monkeypatch, in_one_step) -> None:
    if not in_one_step:
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    path = tmp_path / "y"
    path.mkdir()
    (path / "old").write_text("old")
    with files.atomic_folder(path, replace=True) as temporary:
        (temporary / "new").write_text("new")
        assert (path / "old").exists()
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["y"]


def test_a_folder_that_cannot_be_moved_leaves_the_old_one(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    path = tmp_path / "y"
    path.mkdir()
    (path / "new").write_text("new")
    rename = Path.rename

    def failing(place: Path, target: Path) -> Path:
        if target == path and not place.name.endswith("-old"):
            raise PermissionError("no")
        return rename(place, target)

    monkeypatch.setattr(Path, "rename", failing)
    with (
        pytest.raises(PermissionError),
        files.atomic_folder(path, replace=True) as temporary,
    ):
        (temporary / "newer").write_text("newer")
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["y"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the call")
def test_on_linux_there_is_no_moment_without_the_folder(tmp_path, monkeypatch):
    """Nothing but the exchange touches the name, so that a kill cannot come between."""
    path = tmp_path / "y"
    path.mkdir()
    (path / "old").write_text("old")

    def never(*_):
        raise AssertionError("a move of its own")

    monkeypatch.setattr(Path, "rename", never)
    with files.atomic_folder(path, replace=True) as temporary:
        (temporary / "new").write_text("new")
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["y"]
