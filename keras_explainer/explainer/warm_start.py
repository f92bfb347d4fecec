"""Warm start: convs from the tap's own geometry, the adapter by least squares."""

from __future__ import annotations

import logging
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainer.explainer.decoders import TeacherCopyDecoder
from keras_explainer.explainer.encoder import Encoder
from keras_explainer.explainer.equivariance_error import directions_followed
from keras_explainer.layers import InterpretableConv2D
from keras_explainer.layers.set_centre import set_centre

logger = logging.getLogger(__name__)

SILENT_SHARE = 0.7
CLIPPED_SHARE = 0.02
MOST_CELLS = 30_000
CANDIDATES = 8
SMALLEST_POWER = 1e-9
LEAST_SPREAD = 1e-3
"""Of the widest direction's."""


def start_detectors(
    conv_1: InterpretableConv2D,
    conv_2: InterpretableConv2D,
    features: np.ndarray,
    boxes: np.ndarray,
    random: np.random.Generator,
    relevance: np.ndarray | None = None,
) -> None:
    """Starts the interpretable track from directions of the tap's features.

    Layer 1: each kernel is a direction of the centred features, shared
    out over the kernel's cells; its bias leaves the filter silent on `SILENT_SHARE` of
    the cells. The directions are spherical k-means clusters of cells, those that the
    teacher's answer hangs on drawn more often; of `CANDIDATES` times as many clusters
    as filters, those are kept whose position follows the image best when it is cropped
    and flipped. Layer 2 passes its own filter on.

    Args:
        conv_1, conv_2: the interpretable layers, built, of as many filters.
        features: `(N, V, H, W, C)` of train images, in `V` views.
        boxes: `(N, V, 5)` of the views.
        random: of the cells and the cluster centres.
        relevance: `(N, V, H, W)` weight of each cell; None weighs all alike.
    """
    filters, channels = conv_1.filters, features.shape[-1]
    size = conv_1.conv.kernel.shape[:2]
    smooth = smoothed(features.reshape(-1, *features.shape[2:]), size)
    mean = smooth.reshape(-1, channels).mean(0)
    smooth -= mean
    drawn = random.choice(
        smooth[..., 0].size, MOST_CELLS, p=cell_weights(relevance, smooth, size)
    )
    cells = smooth.reshape(-1, channels)[drawn]
    several = boxes.shape[1] > 1
    directions = spherical_kmeans(
        cells, filters * (CANDIDATES if several else 1), random
    )
    if several:
        error = directions_followed(directions, smooth.reshape(features.shape), boxes)[
            1
        ]
        directions = directions[np.argsort(error, kind="stable")[:filters]]
    set_detectors(conv_1, directions, smooth.reshape(-1, channels), mean)
    set_centre(conv_2.conv, np.eye(filters, dtype="float32"), 0.0)


def set_detectors(
    conv: InterpretableConv2D, directions: np.ndarray, cells: np.ndarray, mean: Any
) -> None:
    """Sets each kernel to a direction, shared out over the kernel's cells.

    Args:
        conv: built, of as many filters as there are directions.
        directions: `(F, C)` of features less their mean.
        cells: `(n, C)` features, smoothed over the kernel's window, less their mean;
            the bias leaves a filter silent on `SILENT_SHARE` of them.
        mean: `(C,)`, what was taken from the cells.
    """
    response = cells @ directions.T
    bias = -np.quantile(response, SILENT_SHARE, axis=0)
    spread = np.maximum((response + bias).clip(0).std(axis=0), 1e-6)
    _set_all(conv.conv, directions.T / spread, (bias - directions @ mean) / spread)


def start_ordinary(
    conv: keras.layers.Conv2D, features: np.ndarray, random: np.random.Generator
) -> None:
    """Starts the ordinary track as the principal directions of `(N, V, H, W, C)`.

    A signed tap loses nothing; the bias lets ReLU clip `CLIPPED_SHARE` of the values.
    Directions are brought to one spread, but for those in which these features hardly
    differ, as of channels that are dead here: an image in which one fires would be
    thousands.
    """
    channels = features.shape[-1]
    cells = features.reshape(-1, channels)
    if len(cells) > MOST_CELLS:
        cells = cells[random.choice(len(cells), MOST_CELLS, replace=False)]
    principal = principal_directions(cells, conv.filters)
    response = cells @ principal.T
    spread = np.maximum(response.std(axis=0), 1e-6)
    spread = np.where(spread > LEAST_SPREAD * spread.max(), spread, spread.max())
    bias = -np.quantile(response, CLIPPED_SHARE, axis=0)
    set_centre(conv, principal.T / spread, bias / spread)


def cell_weights(
    relevance: np.ndarray | None, smooth: np.ndarray, size: Any
) -> np.ndarray:
    """Probability of each cell to be drawn, flat; even without a useful relevance.

    Args:
        relevance: `(N, V, H, W)`, or None.
        smooth: `(n, H, W, C)` of as many cells.
        size: of the window over which the relevance is smoothed.
    """
    even = np.full(smooth[..., 0].size, 1 / smooth[..., 0].size)
    if relevance is None:
        return even
    maps = relevance.reshape(*smooth.shape[:3], 1)
    weights = np.maximum(smoothed(maps, size).reshape(-1).astype("float64"), 0)
    if not np.isfinite(weights).all() or np.count_nonzero(weights) < len(weights) / 20:
        return even
    return weights / weights.sum()


def start_norms(encoder: Encoder, features: np.ndarray, batch_size: int = 64) -> None:
    """Lets both norms measure their channels on `features`, `(N, H, W, C)`."""
    encoder.norm_interpretable.reset_state()
    encoder.norm_ordinary.reset_state()
    for start in range(0, len(features), batch_size):
        encoder.observe(ops.convert_to_tensor(features[start : start + batch_size]))


def start_adapter(
    encoder: Encoder,
    decoder: TeacherCopyDecoder,
    features: np.ndarray,
    ridge: float = 1e-2,
    batch_size: int = 64,
) -> None:
    """Sets the adapter to the ridge regression from `x_enc` to the tap's features.

    Args:
        encoder: with its start weights and norms.
        decoder: whose adapter is set.
        features: `(N, H, W, C)` of train images.
        ridge: penalty, as a share of the mean variance of `x_enc`'s channels.
    """
    size = encoder.filters + 1
    gram = np.zeros((size, size))
    cross = np.zeros((size, features.shape[-1]))
    for start in range(0, len(features), batch_size):
        batch = features[start : start + batch_size]
        encoding = ops.convert_to_numpy(
            encoder(ops.convert_to_tensor(batch), training=False)["encoding"]
        ).reshape(-1, encoder.filters)
        encoding = np.column_stack([encoding, np.ones(len(encoding))]).astype("float64")
        gram += encoding.T @ encoding
        cross += encoding.T @ batch.reshape(-1, features.shape[-1]).astype("float64")
    penalty = ridge * np.trace(gram[:-1, :-1]) / encoder.filters
    gram[np.arange(size - 1), np.arange(size - 1)] += max(penalty, 1e-9)
    solution = np.linalg.lstsq(gram, cross, rcond=None)[0]
    decoder.set_adapter(solution[:-1], solution[-1])


def spherical_kmeans(
    vectors: np.ndarray, clusters: int, random: np.random.Generator, rounds: int = 15
) -> np.ndarray:
    """Unit-norm cluster directions, `(clusters, C)`, by cosine similarity.

    An empty cluster starts again from a random vector.
    """
    norms = np.linalg.norm(vectors, axis=1)
    unit = vectors[norms > 0] / norms[norms > 0, None]
    if len(unit) == 0:
        unit = np.eye(1, vectors.shape[1], dtype="float32")
    centres = unit[random.choice(len(unit), clusters, replace=len(unit) < clusters)]
    for _ in range(rounds):
        nearest = (unit @ centres.T).argmax(1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, unit)
        empty = np.bincount(nearest, minlength=clusters) == 0
        if empty.any():
            sums[empty] = unit[random.choice(len(unit), int(empty.sum()))]
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return centres.astype("float32")


def principal_directions(vectors: np.ndarray, count: int) -> np.ndarray:
    """The first principal directions, `(count, C)`; both signs of them past `C`."""
    centred = (vectors - vectors.mean(0)).astype("float64")
    if count < len(centred) < centred.shape[1]:
        # Of the two products with the same directions, the smaller one.
        powers, shares = np.linalg.eigh(centred @ centred.T)
        if powers[-count] > SMALLEST_POWER * powers[-1]:
            directions = shares[:, ::-1][:, :count].T @ centred
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            return directions.astype("float32")
    directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1].T
    directions = np.concatenate([directions, -directions])
    return np.resize(directions, (count, vectors.shape[1])).astype("float32")


def _set_all(conv: Any, matrix: np.ndarray, bias: Any) -> None:
    """Sets a conv to the matrix `(C, F)`, shared out evenly over its kernel's cells."""
    rows, columns = conv.kernel.shape[:2]
    kernel = np.broadcast_to(matrix / (rows * columns), conv.kernel.shape)
    conv.set_weights(
        [
            kernel.astype("float32"),
            np.broadcast_to(bias, conv.bias.shape).astype("float32"),
        ]
    )


def smoothed(maps: np.ndarray, size: Any) -> np.ndarray:
    """Mean over a window of cells, `(N, H, W, C)`, zero padded as a conv is."""
    rows, columns = size
    before = ((rows - 1) // 2, (columns - 1) // 2)
    after = (rows - 1 - before[0], columns - 1 - before[1])
    margin = ((0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0))
    height, width = maps.shape[1:3]
    total = np.zeros_like(maps)
    # A few maps at a time: the padded copy of all would double the memory.
    for start in range(0, len(maps), 32):
        padded = np.pad(maps[start : start + 32], margin)
        part = total[start : start + 32]
        for row in range(rows):
            for column in range(columns):
                part += padded[:, row : row + height, column : column + width]
    total /= rows * columns
    return total
