"""Model files that lie: what is refused before it costs memory, and nothing is run."""

from __future__ import annotations

import io
import json
import os
import pickle
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import archetypes
import h5py
import keras
import numpy as np
import pytest

from keras_explainer.errors import ConfigError, TeacherError
from keras_explainer.explainer import load
from keras_explainer.teachers import Teacher, model_archive

pytestmark = pytest.mark.one_backend
MIB = 1 << 20


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("good") / "good.keras"
    archetypes.build("plain").save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, members: Any, kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in dict(members).items():
            archive.writestr(name, data)
    return path


def refused(path: Path, match: str) -> None:
    """By the readers of explainers and of teachers."""
    with pytest.raises(ConfigError, match=match):
        load(path)
    with pytest.raises(TeacherError, match=match):
        Teacher.from_file(path)


def test_a_good_file_is_loaded_also_packed(members, tmp_path):
    expected = archetypes.build("plain").get_weights()
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = packed(tmp_path / f"{kind}.keras", members, kind)
        found = model_archive.load_model_archive(path).get_weights()
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_decompression_bomb_is_not_unpacked(members, tmp_path):
    bomb = {**members, "assets/a": b"\0" * (200 * MIB)}
    path = packed(tmp_path / "bomb.keras", bomb, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < MIB
    refused(path, "says that it unpacks to 2")


@pytest.mark.parametrize("name", ["../out.h5", "/tmp/out", "a/../../b", "a\\..\\b"])
def test_members_that_leave_the_archive(members, tmp_path, name):
    refused(packed(tmp_path / "a.keras", {**members, name: b"x"}), "leaves the archive")
    assert not (tmp_path.parent / "out.h5").exists()


def test_links_and_members_that_are_there_twice(members, tmp_path):
    path = packed(tmp_path / "link.keras", members)
    link = zipfile.ZipInfo("assets/passwd")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    refused(path, "is a link")
    path = packed(tmp_path / "twice.keras", members)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("config.json", members["config.json"])
    refused(path, "there twice")


def changed(members: dict[str, bytes], key: str, value: Any) -> dict[str, bytes]:
    """The members with `key` of every layer's configuration set to `value`."""
    config = json.loads(members["config.json"])
    for layer in config["config"]["layers"]:
        if key in layer["config"]:
            layer["config"][key] = value
    return {**members, "config.json": json.dumps(config).encode()}


@pytest.mark.parametrize("filters", [10**7, 2**40])
def test_layers_that_ask_for_more_than_the_file_holds(members, tmp_path, filters):
    """10⁷ filters would be two thirds of a GiB; 2⁴⁰ ends a process of TensorFlow's."""
    path = packed(tmp_path / "large.keras", changed(members, "filters", filters))
    refused(path, "bytes of weights, more than the file holds")


def test_the_bound_is_taken_off_again(members, tmp_path):
    before = keras.Layer.add_weight, keras.Metric.add_variable
    path = packed(tmp_path / "large.keras", changed(members, "filters", 10**7))
    with pytest.raises(ConfigError):
        load(path)
    assert (keras.Layer.add_weight, keras.Metric.add_variable) == before
    keras.layers.Dense(17 * MIB // 16).build((None, 32))  # 136 MiB, of one's own


def h5(change: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        change(file)
    return buffer.getvalue()


def huge(file: Any) -> None:
    """3 GiB that take a few KiB of the file."""
    file.create_dataset("a", (3 << 20, 256), "f4", chunks=(1 << 14, 256), compression=1)


def elsewhere(file: Any) -> None:
    file.create_dataset("a", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("/etc/passwd", "a", (4,))
    file.create_virtual_dataset("a", layout)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (huge, "arrays have more than"),
        (elsewhere, "another file"),
        (virtual, "another"),
    ],
)
def test_arrays_that_are_huge_or_elsewhere(members, tmp_path, change, match):
    other = {**members, "model.weights.h5": h5(change)}
    refused(packed(tmp_path / "a.keras", other), match)
    (tmp_path / "a.h5").write_bytes(h5(change))
    with pytest.raises(TeacherError, match=match):
        Teacher.from_file(tmp_path / "a.h5")


def test_links_of_hdf5_are_not_followed(members, tmp_path):
    """A name of the weights that leads to another file."""

    def linked(file: Any) -> None:
        file["layers"] = h5py.ExternalLink("/etc/passwd", "/")

    other = {**members, "model.weights.h5": h5(linked)}
    refused(packed(tmp_path / "a.keras", other), r"cannot be loaded")


def test_weights_that_are_not_there(members, tmp_path):
    """Keras would give the layers random ones, and warn."""
    for change in (lambda file: None, lambda file: file.create_group("layers")):
        other = {**members, "model.weights.h5": h5(change)}
        refused(packed(tmp_path / "a.keras", other), r"cannot be loaded")
    without = {k: v for k, v in members.items() if k != "model.weights.h5"}
    refused(packed(tmp_path / "b.keras", without), r"cannot be loaded")


class Canary:
    """Would make a file if it were unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def test_a_pickle_is_not_unpickled(members, tmp_path):
    canary = tmp_path / "canary"
    data = pickle.dumps(Canary(canary))
    (tmp_path / "a.keras").write_bytes(data)
    refused(tmp_path / "a.keras", "cannot be loaded")
    for name in ("config.json", "model.weights.h5"):
        refused(packed(tmp_path / "b.keras", {**members, name: data}), "cannot be")
    assert not canary.exists()
    pickle.loads(data).close()
    assert canary.exists()


FUNCTIONS = {
    "a function of os": {
        "class_name": "function",
        "module": "os",
        "config": "system",
        "registered_name": "system",
    },
    "a class of another package": {
        "class_name": "Popen",
        "module": "subprocess",
        "config": {"args": ["true"]},
        "registered_name": None,
    },
    "code": {
        "class_name": "__lambda__",
        "config": {"code": "4wEAAAA=", "defaults": []},
    },
}


@pytest.mark.parametrize("value", FUNCTIONS.values(), ids=FUNCTIONS)
def test_functions_that_a_configuration_names_are_not_called(members, tmp_path, value):
    path = packed(tmp_path / "a.keras", changed(members, "activation", value))
    refused(path, "cannot be loaded")


@pytest.mark.slow
def test_a_hostile_file_costs_little_memory(members, tmp_path):
    """The process' peak, with and without a file that asks for 4 GiB of weights."""
    path = packed(tmp_path / "a.keras", changed(members, "filters", 4 * 10**6))
    script = (
        "import resource, sys\n"
        "from keras_explainer.explainer import load\n"
        "from keras_explainer.errors import ConfigError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load(sys.argv[1])\n"
        "except ConfigError: print(resource.getrusage(0).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
    )
    assert int(done.stdout) < 128 << 10, done.stderr
