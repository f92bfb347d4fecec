"""All methods by name: what each learns from a category, and its figures."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np

import keras_explainer as kx
from benchmarks.parts.dictionaries import DICTIONARIES, train_cells
from benchmarks.parts.features import Category
from benchmarks.parts.measure import (
    dictionary_figures,
    explainer_figures,
    map_figures,
)
from keras_explainer.datasets.feature_cache import FeatureCache

FILTERS = 128
PLACES = "this explainer with places"
SINGLE = "this explainer, single filters"
QUICK = "this explainer, quick"
EXPLAINERS: dict[str, dict[str, Any]] = {
    "paper's explainer": {"recipe": "paper"},
    SINGLE: {"recipe": "single"},
    PLACES: {"recipe": "places"},
    QUICK: {"recipe": "quick"},
}
ABLATIONS: dict[str, dict[str, Any]] = {
    f"places: {name}": {"recipe": "places", **changes}
    for name, changes in {
        "8 groups of 48": {"places": 8, "filters": 384},
        "16 groups of 8": {"filters": 128},
        "mask of beta 2, flat": {"mask_beta": 2.0},
        "mask of beta 4, flat": {"mask_beta": 4.0},
        "mask of the paper": {"mask_beta": 4.0, "mask_flat": False},
        "no loss of the parts alone": {"parts_weight": 0.0},
        # At the rate that the recipe had while it learned so.
        "plain Adam, rate 1e-4": {"whitened": False, "learning_rate": 1e-4},
        "start alone": {"epochs": 0},
        "start alone, no consensus": {"epochs": 0, "consensus_rounds": 0},
    }.items()
}
"""What the recipe with places does without one of its ingredients."""
CONSTANT = "constant position"
SHUFFLED: dict[str, dict[str, Any]] = {
    "shuffled teacher": {"recipe": "single"},
    "shuffled teacher with places": {"recipe": "places"},
}
METHODS = (CONSTANT, *DICTIONARIES, *EXPLAINERS, *SHUFFLED)
LEARNED = {**EXPLAINERS, **ABLATIONS, **SHUFFLED}


def run_method(name: str, category: Category, seed: int) -> dict[str, Any]:
    """Learns a method on a category and measures it.

    Returns:
        Its figures with `seconds` (learning alone), `parameters` and `decoder`.
    """
    start = time.perf_counter()
    if name == CONSTANT:
        maps = np.zeros((len(category.test), 3, 3, FILTERS), "float32")
        maps[:, 1, 1] = 1
        figures = {**map_figures(category, maps), "ev_logits": None, "ev_parts": None}
        return {**figures, "p": None, "seconds": 0.0, "parameters": 0, "decoder": "–"}
    if name in DICTIONARIES:
        cells = train_cells(category.train.tap[:, 0], seed)
        found = DICTIONARIES[name](cells, FILTERS, seed)
        seconds = time.perf_counter() - start
        figures = dictionary_figures(category, found)
        parameters, decoder = found.parameters, found.decoder
    else:
        explainer = learn(category, seed, LEARNED[name])
        seconds = time.perf_counter() - start
        figures = explainer_figures(category, explainer)
        parameters = sum(int(np.prod(v.shape)) for v in explainer.trainable_variables)
        decoder = type(explainer.decoder).__name__
    return {
        **figures,
        "seconds": round(seconds, 1),
        "parameters": parameters,
        "decoder": decoder,
    }


def learn(category: Category, seed: int, settings: dict[str, Any]) -> kx.Explainer:
    """An explainer that has been learned with its recipe's own epochs."""
    keras.utils.set_random_seed(seed)
    explainer = kx.Explainer(category.teacher, seed=seed, **settings)
    explainer.compile(optimizer="adam")
    features = category.train
    if explainer.recipe.views < features.views:
        features = first_views(features, explainer.recipe.views)
    explainer.fit(
        features,
        epochs=explainer.recipe.epochs,
        batch_size=explainer.recipe.batch_size,
        verbose=0,
    )
    return explainer


def first_views(features: FeatureCache, count: int) -> FeatureCache:
    """The same images without their further views; the first is the whole image."""
    return FeatureCache(
        features.tap[:, :count],
        {name: array[:, :count] for name, array in features.targets.items()},
        features.boxes[:, :count],
        key=f"{features.key}[:, :{count}]",
        fingerprint=features.fingerprint,
    )
