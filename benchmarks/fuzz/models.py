"""Files of models: MatConvNet's, `.keras` archives, and caches of features."""

from __future__ import annotations

import io
import json
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from hypothesis import strategies as st
from scipy.io import savemat

from benchmarks.fuzz.json_text import json_text
from benchmarks.fuzz.mutations import Draw, mutated_bytes, mutated_tree
from benchmarks.fuzz.target import Files, Target
from keras_explainer.datasets import ImageArray
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import KerasExplainerError
from keras_explainer.explainer import Explainer, load
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.networks.matconvnet import load_matconvnet

INPUT = (8, 8, 3)


def small_model() -> keras.Model:
    """Two convolutions and an answer; the same weights each time."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input(INPUT, name="image")
    x = keras.layers.Conv2D(4, 3, 2, "same", activation="relu", name="tap")(x)
    x = keras.layers.Conv2D(5, 3, 1, "same", activation="relu", name="high")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Dense(3, activation="softmax", name="answer")(x)
    return keras.Model(image, x, name="small")


class MatNetworks(Target):
    """MatConvNet files, read and put into a network; plain and packed."""

    name = "MatConvNet"
    cases = 12_000
    chunk = 3_000
    megabytes = 128
    seconds = 10.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.model = small_model()
        self.before = self.model.get_weights()
        self.plain = [_mat(self.model, old) for old in (False, True)]

    def case(self, draw: Draw) -> Files:
        """One file: damaged, or packed after it was damaged, or damaged when packed."""
        data = draw(st.sampled_from(self.plain))
        kind = draw(st.sampled_from(("plain", "plain", "inside", "outside")))
        if kind == "inside":
            data = data[:128] + _packed(mutated_bytes(draw, data[128:]))
        elif kind == "outside":
            data = mutated_bytes(draw, data[:128] + _packed(data[128:]))
        else:
            data = mutated_bytes(draw, data)
        return {"a.mat": data}

    def read(self, folder: Path) -> None:
        """Loads the weights; on an error the model must be what it was."""
        try:
            load_matconvnet(self.model, folder / "a.mat", "caffe")
        except KerasExplainerError:
            pairs = zip(self.model.get_weights(), self.before, strict=True)
            if not all(np.array_equal(mine, theirs) for mine, theirs in pairs):
                raise AssertionError("an error left other weights") from None
            raise
        if not all(np.isfinite(array).all() for array in self.model.get_weights()):
            raise AssertionError("weights that are not finite")
        self.model.set_weights(self.before)


def _packed(data: bytes) -> bytes:
    body = zlib.compress(data)
    return struct.pack("<II", 15, len(body)) + body


def _mat(model: keras.Model, old: bool) -> bytes:
    cells = []
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel, bias = layer.get_weights()
        if kernel.ndim == 2:
            kernel = kernel.reshape(4, 4, -1, kernel.shape[-1])
        fields: dict[str, Any] = {"type": "conv", "name": layer.name}
        fields["stride"] = np.array([[*getattr(layer, "strides", (1, 1))]], "float64")
        if old:
            fields |= {"filters": kernel, "biases": bias[None]}
        else:
            both = np.empty((1, 2), object)
            both[0, 0], both[0, 1] = kernel, bias[None]
            fields["weights"] = both
        cells.append(fields)
    layers = np.empty((1, len(cells)), object)
    layers[0, :] = cells
    mean = {"averageImage": np.array([[[123.68, 116.779, 103.939]]], "float32")}
    content: dict[str, Any] = {"layers": layers}
    content |= {"normalization": mean} if old else {"meta": {"normalization": mean}}
    buffer = io.BytesIO()
    savemat(buffer, content, do_compression=False)
    return buffer.getvalue()


class FeatureCaches(Target):
    """A cache of features on disk: its state and its arrays, complete or half done."""

    name = "feature cache"
    cases = 3_000
    chunk = 750
    megabytes = 256
    seconds = 20.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        pixels = np.random.default_rng(0).integers(0, 256, (5, *INPUT), np.uint8)
        self.images = ImageArray(pixels)
        self.teacher = Teacher(
            small_model(), tap="tap", targets=["high"], preprocessing="unit"
        )
        self.whole = self._build(folder / "whole")
        self.cache = self.whole.directory.name
        self.files = {
            path.name: path.read_bytes() for path in self.whole.directory.iterdir()
        }
        self.state = json.loads(self.files["state.json"])

    def _build(self, folder: Path) -> FeatureCache:
        return FeatureCache.build(
            self.teacher, self.images, ViewSpec(count=2), directory=folder, batch_size=4
        )

    def case(self, draw: Draw) -> Files:
        """A cache of which one or two files are damaged, foreign or gone."""
        found = dict(self.files)
        if draw(st.booleans()):
            state = {**self.state, "done": draw(st.integers(0, 5))}
            found["state.json"] = json_text(state)
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(["state.json", "lock", *sorted(self.files)]))
            kind = draw(st.sampled_from(("bytes", "bytes", "gone", "zip", "pickle")))
            if name == "state.json" and draw(st.integers(0, 3)):
                found[name] = json_text(mutated_tree(draw, self.state))
            elif kind == "gone":
                found.pop(name, None)
            elif kind == "zip":
                found[name] = b"PK\x03\x04" + found.get(name, b"")[4:]
            elif kind == "pickle":
                found[name] = b"\x80\x04cos\nsystem\n(S'exit 9'\ntR." * 9
            else:
                found[name] = mutated_bytes(draw, found.get(name, b"99999"))
        return {f"{self.cache}/{name}": data for name, data in found.items()}

    def read(self, folder: Path) -> None:
        """Opens or completes it; where that succeeds, it is a whole cache."""
        try:
            cache = self._build(folder)
        finally:
            for name in ("tap", "boxes", "target_0", "state"):
                for path in folder.glob(f"*/{name}.*"):
                    path.unlink()
        if cache.tap.shape != self.whole.tap.shape or len(cache) != 5:
            raise AssertionError(f"{cache.tap.shape}")


class KerasFiles(Target):
    """`.keras` archives, as explainers and as teachers: members and archives."""

    name = ".keras"
    cases = 800
    chunk = 200
    megabytes = 512
    seconds = 60.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.teacher = Teacher(
            small_model(), tap="tap", targets=["high"], preprocessing="unit"
        )
        explainer = Explainer(self.teacher, 3, recipe="single", batch_size=2)
        explainer.save(folder / "explainer.keras")
        self.teacher.model.save(folder / "teacher.keras")
        self.seeds = []
        for name in ("explainer", "teacher"):
            data = (folder / f"{name}.keras").read_bytes()
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = {one: archive.read(one) for one in archive.namelist()}
            self.seeds.append((data, members))
        lambda_ = {"class_name": "Lambda", "module": "keras.layers", "config": {}}
        system = {"class_name": "function", "module": "os", "config": "system"}
        self.odd = [lambda_, system, 4096, 2**20, 2**28, [2**20, 2**20]]

    def case(self, draw: Draw) -> Files:
        """One archive."""
        data, members = draw(st.sampled_from(self.seeds))
        if draw(st.integers(0, 3)) == 0:
            return {"a.keras": mutated_bytes(draw, data)}
        members = dict(members)
        name = draw(st.sampled_from([*["config.json"] * 3, *sorted(members)]))
        if name.endswith(".json") and draw(st.integers(0, 7)):
            tree = json.loads(members[name])
            members[name] = json_text(mutated_tree(draw, tree, self.odd))
        elif draw(st.integers(0, 7)) == 0:
            del members[name]
        else:
            members[name] = mutated_bytes(draw, members[name])
        if draw(st.integers(0, 9)) == 0:
            extra = draw(
                st.sampled_from(("../out", "/tmp/out", "assets/x", "config.json", ""))
            )
            members[extra] = draw(st.sampled_from((b"", b"x" * 99, b"\0" * 9_000_000)))
        packing = draw(st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as archive:
            for member, content in members.items():
                archive.writestr(member or "empty/", content)
        return {"a.keras": buffer.getvalue()}

    def read(self, folder: Path) -> None:
        """As an explainer with its teacher, then as a teacher."""
        problems = []
        for reader in (self._explainer, self._teacher):
            try:
                reader(folder / "a.keras")
            except KerasExplainerError as error:
                problems.append(error)
        if len(problems) == 2:
            raise problems[0]

    def _explainer(self, path: Path) -> None:
        if not isinstance(load(path, self.teacher), Explainer):
            raise AssertionError("no explainer")

    def _teacher(self, path: Path) -> None:
        Teacher.from_file(path, tap="tap", targets=["high"], preprocessing="unit")


def clear(folder: Path) -> None:
    """Removes what a case left."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
