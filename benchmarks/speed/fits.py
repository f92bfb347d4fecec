"""A whole fit beside those of others, on the same features of the same images."""

from __future__ import annotations

import importlib
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

METHODS = (PLACES, QUICK, SINGLE, "NMF")
FIGURES = ("part_tracking_share", "ev_logits", "ev_parts")
CATEGORY = "dog"
VIEWS = (2, TRAIN_VIEWS)
"""Of the recipe "quick", and of all others."""


def measure(seed: int = 0) -> dict[str, Any]:
    """Seconds and figures of each; what cannot be run says why."""
    if not shared_folder().is_dir():
        return {"not_measured": "needs the photographs: KERAS_EXPLAINER_SHARED"}
    owner = load_teacher()
    category, images = load_category(CATEGORY, owner), train_images(owner)
    features = {}
    for views in VIEWS:
        start = time.perf_counter()
        FeatureCache.build(owner, images, ViewSpec(count=views))
        features[views] = time.perf_counter() - start
    rows: dict[str, Any] = {}
    for name in METHODS:
        row = run_method(name, category, seed)
        rows[name] = {figure: row[figure] for figure in ("seconds", *FIGURES)}
    rows["CRAFT (xplique)"] = craft(category)
    return {
        "category": CATEGORY,
        "images": len(category.train),
        "seed": seed,
        "features_seconds": {str(views): took for views, took in features.items()},
        "methods": rows,
    }


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
    fitted = kind(
        Computation(owner.lower),
        Computation(lambda tap: owner.head(owner.upper(tap)[last])["logits"]),
        batch_size=32,
    )
    start = time.perf_counter()
    try:
        fitted.fit(pictures)
        seconds = time.perf_counter() - start
        figures = dictionary_figures(
            category,
            Dictionary(
                lambda tap: np.asarray(
                    fitted.transform(None, activations=np.asarray(tap)), "float32"
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
