"""A whole fit beside those of others, on the same features of the same images.

    python -m benchmarks.speed.fits METHOD      # one of them, as JSON

Each is fitted in a process of its own, as a user would.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_explainer as kx
from benchmarks.core import shared_folder
from benchmarks.parts.dictionaries import Dictionary
from benchmarks.parts.features import (
    TRAIN_VIEWS,
    Category,
    load_category,
    load_teacher,
)
from benchmarks.parts.measure import dictionary_figures
from benchmarks.parts.methods import PLACES, QUICK, SINGLE, run_method
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.image_subset import ImageSubset
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.explainer import Recipe

CRAFT = "CRAFT (xplique)"
METHODS = (PLACES, QUICK, SINGLE, "NMF", CRAFT)
FIGURES = ("part_tracking_share", "ev_logits", "ev_parts")
CATEGORY, SEED = "dog", 0
VIEWS = (Recipe.named("quick").views, TRAIN_VIEWS)
"""Of the recipe "quick", and of all others."""


def measure() -> dict[str, Any]:
    """Seconds and figures of each; what cannot be run says why."""
    if not shared_folder().is_dir():
        return {"not_measured": "needs the photographs: KERAS_EXPLAINER_SHARED"}
    owner = load_teacher()
    images = train_images(owner)
    features = {}
    for views in VIEWS:
        start = time.perf_counter()
        FeatureCache.build(owner, images, ViewSpec(count=views))
        features[str(views)] = time.perf_counter() - start
    rows: dict[str, Any] = {}
    for name in METHODS:
        command = [sys.executable, "-m", "benchmarks.speed.fits", name]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows[name] = json.loads(done.stdout.splitlines()[-1])
    return {
        "category": CATEGORY,
        "images": len(images),
        "seed": SEED,
        "features_seconds": features,
        "methods": rows,
    }


def fitted(name: str) -> dict[str, Any]:
    """Seconds and figures of one method."""
    category = load_category(CATEGORY, load_teacher())
    if name == CRAFT:
        return craft(category)
    row = run_method(name, category, SEED)
    return {figure: row[figure] for figure in ("seconds", *FIGURES)}


def train_images(teacher: kx.Teacher) -> ImageSubset:
    """The images that all learn from."""
    height, width, _ = teacher.input_shape
    return kx.ImageFolder(
        shared_folder(), image_size=(height, width), category=CATEGORY
    ).train


def craft(category: Category) -> dict[str, Any]:
    """CRAFT of xplique (its own number of concepts) fitted on the same images."""
    try:
        kind = importlib.import_module("xplique.concepts").CraftTf
    except Exception as error:  # whatever an optional package's import does
        return {"not_measured": f"{type(error).__name__}: {error}"}
    owner = category.teacher
    last = list(owner.targets)[-1]
    pictures = train_images(owner).load().astype("float32")
    model = kind(
        Computation(owner.lower),
        Computation(lambda tap: owner.head(owner.upper(tap)[last])["logits"]),
        batch_size=32,
    )
    start = time.perf_counter()
    try:
        model.fit(pictures)
        seconds = time.perf_counter() - start
        figures = dictionary_figures(
            category,
            Dictionary(
                lambda tap: np.asarray(
                    model.transform(None, activations=np.asarray(tap)), "float32"
                ),
                inverse=None,
                parameters=0,
                decoder="ridge",
            ),
        )
    except Exception as error:
        return {"not_measured": f"{type(error).__name__}: {error}"}
    found = {name: figures[name] for name in FIGURES}
    return {"seconds": seconds, **found, "concepts": figures["filters"]}


class Computation(keras.Model):
    """A function as the Keras model that CRAFT asks for."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


if __name__ == "__main__":
    print(json.dumps(fitted(sys.argv[1])))
