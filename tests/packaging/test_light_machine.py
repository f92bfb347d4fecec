"""On a machine with JAX or PyTorch alone: no TensorFlow, typer or pydantic."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

# As if the packages were not installed; Keras itself imports TensorFlow where it is.
BLOCK = """
import sys
from importlib.machinery import PathFinder

names = {"tensorflow", "tf_keras", "tensorflow_hub", "typer", "pydantic"}
find = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in names else find(name, path, target)

PathFinder.find_spec = staticmethod(find_spec)
for name in names:
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is not blocked")
"""

IMPORTS = """
import importlib, pkgutil, sys
import keras_explainer as kx

assert "keras" not in sys.modules, "import keras_explainer alone loads Keras"
kx.Teacher, kx.Explainer, kx.load, kx.ImageFolder
rooms = "layers losses metrics teachers datasets explainer results explanation"
rooms = [*rooms.split(), "serving"]
for room in rooms:
    package = importlib.import_module(f"keras_explainer.{room}")
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
import keras_explainer.zoo
print(len(rooms))
"""

RESULTS = """
import pkgutil, importlib, sys
import keras_explainer.results as results

for found in pkgutil.walk_packages(results.__path__, results.__name__ + "."):
    importlib.import_module(found.name)
heavy = {"keras", "tensorflow", "jax", "torch", "typer", "pydantic"}
print(sorted(heavy & set(sys.modules)))
"""

LEARN = """
import json, tempfile, pathlib
import numpy as np
import keras
import keras_explainer as kx

keras.utils.set_random_seed(0)
layers = keras.layers
model = keras.Sequential([
    keras.Input((32, 32, 3)),
    layers.Conv2D(8, 3, strides=4, padding="same", activation="relu", name="tap"),
    layers.Conv2D(8, 3, padding="same", activation="relu", name="upper"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(5, activation="softmax"),
], name="small")
images = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype("uint8")
teacher = kx.Teacher(model, tap="tap", targets=["upper"], preprocessing="unit")
explainer = kx.Explainer(teacher, filters=4, recipe="single")
explainer.compile(optimizer="adam")
history = explainer.fit(images, epochs=2, batch_size=6, verbose=0)
maps = explainer.predict(images, verbose=0)["part_maps"]
path = pathlib.Path(tempfile.mkdtemp()) / "small.keras"
explainer.save(path)
again = kx.load(path, teacher=teacher).predict(images, verbose=0)["part_maps"]
found = explainer.explain(images[:2])
print(json.dumps({
    "backend": keras.backend.backend(),
    "losses": history.history["loss"],
    "shape": list(maps.shape),
    "difference": float(np.abs(maps - again).max()),
    "explained": len(found),
}))
"""


@pytest.fixture(scope="module", params=["jax", "torch"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture(scope="module")
def told(installed: Any, backend: str) -> list[str]:
    """What a process says that imports all, then learns."""
    quick = {"KERAS_BACKEND": backend, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    return installed.python_says(BLOCK + IMPORTS + LEARN, **quick).splitlines()


def test_core_imports(told: list[str]) -> None:
    assert told[0] == "9"


def test_results_load_no_framework(installed: Any) -> None:
    """A serving client reads results where no Keras is."""
    assert installed.python_says(RESULTS) == "[]"


def test_an_explainer_is_learned_saved_and_loaded(
    told: list[str], backend: str
) -> None:
    found = json.loads(told[-1])
    assert found["backend"] == backend
    assert len(found["losses"]) == 2
    assert all(loss == loss for loss in found["losses"])
    assert found["shape"] == [12, 8, 8, 4]
    assert found["difference"] <= 1e-6
    assert found["explained"] == 2
