"""The run folder: what it refuses, and that no write leaves it broken."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_explainer import files, runs
from keras_explainer.errors import ConfigError, DataError, RunError, TeacherError
from keras_explainer.file_lock import is_locked


@pytest.fixture
def copy(run, tmp_path):
    path = tmp_path / "copy"
    shutil.copytree(run.path, path)
    return path


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# What is read


def test_what_is_no_run_is_refused(copy, tmp_path):
    with pytest.raises(RunError, match=r"no run folder .*nothing.*--out"):
        runs.RunFolder.open(tmp_path / "empty" / "nothing")
    with pytest.raises(RunError, match="Nearest valid: copy"):
        runs.RunFolder.open(tmp_path / "copyy")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"has no config\.json"):
        runs.RunFolder.open(tmp_path / "other")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="is a file"):
        runs.RunFolder.open(tmp_path / "file")
    (tmp_path / "other" / "config.json").write_text('{"model": "bert"}')
    with pytest.raises(RunError, match="no schema_version"):
        runs.RunFolder.open(tmp_path / "other")


def test_another_version_is_refused_with_what_to_do(copy):
    edit(copy, schema_version=2, novelty=1, versions={"keras_explainer": "9.1"})
    with pytest.raises(RunError, match=r"schema version 2, made with .*9\.1.*Upgrade"):
        runs.RunFolder.open(copy)
    edit(copy, schema_version=0)
    with pytest.raises(RunError, match="Learn it again"):
        runs.RunFolder.open(copy)
    edit(copy, schema_version="1")
    with pytest.raises(RunError, match="schema version '1'"):
        runs.RunFolder.open(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lerning": {}}, r"no setting 'lerning'.*learning"),
        ({"status": "done"}, "one of new, learning, complete, diverged"),
        ({"data": None}, r"config\.data must be"),
        ({"data": {"directory": 7}}, r"data\.directory must be text, got 7"),
        ({"data": {"directory": "a", "categry": "b"}}, "no setting 'categry'"),
        ({"data": {}}, "lacks directory"),
        ({"learning": {"epochs": True}}, r"epochs must be a whole number or null"),
        ({"learning": {"validation_share": float("nan")}}, "finite number"),
        ({"learning": {"validation_share": 10**400}}, "finite number"),
        ({"explainer": {"filters": 0}}, "filters must be at least 1"),
        ({"explainer": {"recipe": {"beta": "steep"}}}, r"recipe\.beta"),
        ({"explainer": {"recipe": {"colour": 1}}}, "no setting 'colour'"),
        ({"facts": {"teacher": "x"}}, "lacks fingerprint"),
    ],
)
def test_a_configuration_is_read_strictly(copy, changes, message):
    edit(copy, **changes)
    with pytest.raises(RunError, match=message):
        runs.RunFolder.open(copy)


def test_a_configuration_survives_json(config):
    given = replace(
        config,
        status="diverged",
        message="why",
        facts=runs.RunFacts("t", "f", (4, 5), "h", 3, 1, ({"path": "a"},)),
    )
    text = json.dumps(given.to_dict())
    assert runs.RunConfig.from_dict(json.loads(text)) == given


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: runs.DataConfig("d", on_bad="ignore"), "skip, raise"),
        (lambda: runs.DataConfig("d", test_share=1.0), r"\[0, 1\)"),
        (lambda: runs.LearningConfig(epochs=0), "at least 1"),
        (lambda: runs.LearningConfig(batch_size=1), "at least 2"),
        (lambda: runs.LearningConfig(cache_dtype="int8"), "float32, float16"),
        (lambda: runs.LearningConfig(monitor="p"), "without patience"),
        (
            lambda: runs.LearningConfig(monitor="val_p", patience=1),
            "needs a validation_share",
        ),
        (lambda: runs.ExplainerConfig(seed=-1), "seed must be in"),
        (lambda: runs.resolve_recipe("papr"), "paper"),
        (lambda: runs.resolve_recipe("default", {"eta": "big"}), r"recipe\.eta"),
        (lambda: runs.resolve_recipe("default", {"views": 2.5}), r"recipe\.views"),
        (lambda: runs.resolve_recipe({"eta": -1.0}), "eta must be at least 0"),
    ],
)
def test_settings_are_checked_when_they_are_given(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("name", ["config.json", "explainer.keras", "split.json"])
def test_damaged_files_are_named(copy, name, teacher):
    (copy / name).write_bytes((copy / name).read_bytes()[:40])
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        opened = runs.RunFolder.open(copy)
        opened.load_explainer(teacher)
        opened.image_folder((40, 48))


@pytest.mark.parametrize(
    "content", ["[]", "1e400", "{}", '{"epochs": [1.5]}', "[" * 9999]
)
@pytest.mark.parametrize("name", ["history.json", "split.json", "metrics.json"])
def test_files_that_hold_something_else_are_named(copy, name, content):
    (copy / name).write_text(content)
    run = runs.RunFolder.open(copy)
    if name == "metrics.json" and content.startswith("{"):
        assert run.metrics is not None  # any object: others add figures
        return
    with pytest.raises((RunError, DataError), match=r"\.json|recorded split"):
        _ = run.metrics, run.history, run.image_folder((40, 48))


@pytest.mark.parametrize("name", ["explainer.keras", "history.json"])
def test_missing_files_are_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(RunError, match=f"incomplete: it has no {name}"):
        _ = runs.RunFolder.open(copy).history


def test_the_teacher_is_made_again_also_from_another_place(
    copy, teacher_file, tmp_path, config
):
    opened = runs.RunFolder.open(copy)
    assert opened.load_explainer().teacher.fingerprint == (
        opened.config.facts.fingerprint
    )
    away = tmp_path / "away.keras"
    edit(copy, teacher={**config.teacher, "path": "/nowhere/small.keras"})
    opened = runs.RunFolder.open(copy)
    with pytest.raises(RunError, match=r"/nowhere/small\.keras.*--weights PATH"):
        opened.load_explainer()
    shutil.copy(teacher_file, away)
    assert opened.load_explainer(weights=away).has_teacher
    away.write_bytes(away.read_bytes() + b"x")
    with pytest.raises(TeacherError, match="not the file"):
        opened.load_explainer(weights=away)


# Locks


def _hold(path: str, ready: Any, leave: Any) -> None:
    with runs.RunLock(Path(path)):
        ready.set()
        leave.wait(60)


def test_two_writers_are_kept_apart(run, copy, config, teacher):
    held = runs.RunFolder.reopen(copy)
    with pytest.raises(RunError, match=f"being written by process {os.getpid()}"):
        runs.RunFolder.reopen(copy)
    with pytest.raises(RunError, match="being written"):
        runs.train(copy, config, teacher=teacher, overwrite=True)
    assert (copy / "explainer.keras").exists()
    held.close()
    held.close()
    runs.RunFolder.reopen(copy).close()
    assert not (copy / "lock").exists()


@pytest.mark.one_backend
def test_another_process_holds_the_lock_until_it_ends(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, leave = context.Event(), context.Event()
    path = tmp_path / "lock"
    other = context.Process(target=_hold, args=(str(path), ready, leave))
    other.start()
    assert ready.wait(60)
    assert is_locked(path)
    with pytest.raises(RunError, match=f"process {other.pid} on"):
        runs.RunLock(path)
    os.kill(other.pid, 9)
    other.join()
    assert path.exists()
    assert not is_locked(path)
    with runs.RunLock(path):
        assert path.read_text().split()[0] == str(os.getpid())
    assert not path.exists()


def test_a_run_that_is_being_learned_says_so(copy):
    edit(copy, status="learning")
    with pytest.raises(RunError, match=r"interrupted after 3 of 3 epochs.*--resume"):
        runs.RunFolder.open(copy)
    with (
        runs.RunFolder.reopen(copy),
        pytest.raises(RunError, match=f"being learned by process {os.getpid()}"),
    ):
        runs.RunFolder.open(copy)


# Writes that fail


@pytest.fixture
def short(light):
    return replace(light, learning=replace(light.learning, epochs=2))


@pytest.mark.one_backend
def test_a_full_disk_at_any_write_loses_nothing(
    short, teacher, tmp_path, monkeypatch, eager
):
    """Fails each write in turn; every time, the run goes on to the same end."""
    write = files.atomic_path
    written: list[str] = []
    full_at = -1

    def counting(path: Any) -> Any:
        written.append(Path(path).name)
        if len(written) - 1 == full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path)

    monkeypatch.setattr(files, "atomic_path", counting)
    short = replace(short, learning=replace(short.learning, epochs=1))
    whole = runs.train(tmp_path / "whole", short, teacher=teacher)
    expected = whole.load_explainer(teacher).get_weights()
    order = list(written)
    assert order == [
        "config.json",
        "split.json",
        "history.json",
        "log.csv",
        "state.npz",
        "explainer.keras",
        "config.json",
    ]
    for number in (0, 1, 4, 5, 6):
        out = tmp_path / f"full{number}"
        written.clear()
        full_at = number
        with pytest.raises(RunError, match=r"No space left.*--resume"):
            runs.train(out, short, teacher=teacher)
        full_at = -1
        assert not (out / "lock").exists()
        done = runs.train(out, short, teacher=teacher, resume=True)
        assert done.config.status == "complete"
        assert len(done.history) == 1
        found = done.load_explainer(teacher).get_weights()
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a tmpfs cannot be mounted here (no privilege)")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(folder: Path) -> Path:
    """Writes until nothing more goes in."""
    ballast = folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as handle:
            while True:
                handle.write(b"0" * 1024)
    except OSError as error:
        assert error.errno == errno.ENOSPC
    return ballast


@pytest.mark.one_backend
def test_a_disk_that_is_really_full(short, teacher, small_disk, eager):
    out = small_disk / "run"

    class Fill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                fill(small_disk)

    with pytest.raises(RunError, match="No space left"):
        runs.train(out, short, teacher=teacher, callbacks=[Fill()])
    assert not list(out.glob(".tmp-*"))
    with pytest.raises(RunError, match="after 1 of 2 epochs"):
        runs.RunFolder.open(out)
    (small_disk / "ballast").unlink()
    assert runs.resume(out, teacher=teacher).config.status == "complete"


@pytest.mark.one_backend
def test_an_explainer_that_cannot_be_saved_whole_leaves_the_old_one(
    run, teacher, small_disk
):
    shutil.copytree(run.path, small_disk / "run")
    explainer = run.load_explainer(teacher)
    before = (small_disk / "run" / "explainer.keras").read_bytes()
    kept = runs.RunFolder.reopen(small_disk / "run")
    fill(small_disk)
    with (
        kept,
        pytest.raises(RunError, match="No space left"),
    ):
        kept.save_explainer(explainer)
    assert (small_disk / "run" / "explainer.keras").read_bytes() == before
    assert not list((small_disk / "run").glob(".tmp-*"))


def _packed(path: Path) -> None:
    """Zeros that fill a thousand times what they take on the disk."""
    np.savez_compressed(path, head=np.zeros(1 << 24, np.uint8))


def _without_epochs(path: Path) -> None:
    runs.TrainingState([], [], {"epoch": "1", "rows": []}).write(path)


def _pickled(path: Path) -> None:
    np.savez(path, head=np.array([{"a": 1}], object))


@pytest.mark.one_backend
def test_a_damaged_backup_is_refused(light, teacher, tmp_path, eager):
    from test_training import Interrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        runs.train(out, light, teacher=teacher, callbacks=[Interrupt(1, 0)])
    backup = out / "backup" / "state.npz"
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 0xFF
    backup.write_bytes(bytes(data))
    with pytest.raises(RunError, match=r"is damaged.*--overwrite"):
        runs.resume(out, teacher=teacher)
    with np.load(backup, allow_pickle=False) as arrays:
        assert "head" in arrays.files
    for change, found in (
        (_packed, r"head\.npy is packed"),
        (_without_epochs, "its epoch is missing"),
        (_pickled, "allow_pickle"),
    ):
        change(backup)
        with pytest.raises(RunError, match=f"is damaged .*{found}"):
            runs.resume(out, teacher=teacher)
    state = runs.TrainingState([np.zeros(3)], [], {"epoch": 1, "rows": []})
    state.write(backup)
    with pytest.raises(RunError, match="of another explainer"):
        runs.resume(out, teacher=teacher)


def test_a_folder_that_cannot_be_written(config, teacher, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        runs.RunFolder.create(tmp_path / "file" / "run", config)


@pytest.mark.one_backend
def test_reading_a_run_needs_no_tensorflow_on_jax(copy):
    """The core runs where TensorFlow is not installed."""
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from keras_explainer import runs\n"
        f"print(runs.RunFolder.open({str(copy)!r}).config.status)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if "No module named 'jax'" in done.stderr:
        pytest.skip("JAX is not installed")
    assert done.stdout.split() == ["complete"], done.stderr
