"""Baselines: dictionaries of cell features, without a notion of place.

Each is fitted on the cells of the train images (view 0, 60,000 cells at most) and gives
for each filter a map of values at least 0, and its own way back to the tap's features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA, MiniBatchNMF

from benchmarks.parts.sparse_autoencoder import sparse_autoencoder

MOST_CELLS = 60_000


@dataclass(frozen=True)
class Dictionary:
    """A method that has been fitted.

    Attributes:
        maps: from features (N, H, W, C) to maps (N, H, W, F), float32, at least 0.
        inverse: from maps to features; None if it has none: ridge is used.
        parameters: numbers that were learned.
        decoder: what the inverse is, in a word.
    """

    maps: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray] | None
    parameters: int
    decoder: str


def teacher_channels(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """The tap's own channels, all of them."""
    return Dictionary(lambda x: x, lambda z: z, 0, "identity")


def random_projections(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """ReLU of random directions of the centred features."""
    mean = cells.mean(0)
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(cells.shape[1], filters)).astype("float32")
    return Dictionary(
        lambda x: np.maximum((x - mean) @ matrix, 0), None, matrix.size, "ridge"
    )


def k_means(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """Cosine to the centres of unit-norm cells, above the mean cosine."""
    unit = _unit(cells)
    found = MiniBatchKMeans(
        filters, random_state=seed, n_init=3, batch_size=4096, max_iter=30
    ).fit(unit)
    centres = _unit(found.cluster_centers_.astype("float32"))
    level = (unit @ centres.T).mean(0)
    return Dictionary(
        lambda x: np.maximum(_unit(x) @ centres.T - level, 0),
        None,
        centres.size,
        "ridge",
    )


def pca(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """Both signs of the first F / 2 principal components; its own inverse."""
    found = PCA(filters // 2, random_state=seed, svd_solver="randomized").fit(cells)
    mean, basis = found.mean_.astype("float32"), found.components_.astype("float32")

    def maps(x: np.ndarray) -> np.ndarray:
        scores = (x - mean) @ basis.T
        return np.concatenate([np.maximum(scores, 0), np.maximum(-scores, 0)], axis=-1)

    def inverse(z: np.ndarray) -> np.ndarray:
        half = z.shape[-1] // 2
        return (z[..., :half] - z[..., half:]) @ basis + mean

    return Dictionary(maps, inverse, basis.size + mean.size, "own inverse")


def nmf(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """Non-negative factors of the (ReLU) features, as CRAFT's concepts are found."""
    found = MiniBatchNMF(
        filters,
        random_state=seed,
        init="nndsvda",
        batch_size=2048,
        max_iter=60,
        transform_max_iter=200,
    ).fit(cells)
    basis = found.components_.astype("float32")

    def maps(x: np.ndarray) -> np.ndarray:
        flat = np.maximum(x.reshape(-1, x.shape[-1]), 0)
        return found.transform(flat).astype("float32").reshape(*x.shape[:-1], filters)

    return Dictionary(maps, lambda z: z @ basis, basis.size, "own inverse")


def autoencoder(cells: np.ndarray, filters: int, seed: int) -> Dictionary:
    """A top-k sparse autoencoder of F latents, k = F / 8."""
    encode, decode, parameters = sparse_autoencoder(cells, filters, filters // 8, seed)
    return Dictionary(encode, decode, parameters, "own decoder")


DICTIONARIES: dict[str, Callable[[np.ndarray, int, int], Dictionary]] = {
    "teacher channels": teacher_channels,
    "random projections": random_projections,
    "k-means": k_means,
    "PCA": pca,
    "NMF": nmf,
    "sparse autoencoder": autoencoder,
}


def train_cells(features: np.ndarray, seed: int) -> np.ndarray:
    """Cells (n, C) of train features (N, H, W, C), `MOST_CELLS` at most."""
    cells = features.reshape(-1, features.shape[-1]).astype("float32")
    if len(cells) <= MOST_CELLS:
        return cells
    chosen = np.random.default_rng(seed).choice(len(cells), MOST_CELLS, replace=False)
    return cells[chosen]


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
