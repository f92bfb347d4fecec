"""Start of the grouped filters: which places, and what to read there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.explainer.batched import batched
from keras_explainer.explainer.consensus import consensus_detectors, place_worth
from keras_explainer.explainer.equivariance_error import directions_followed
from keras_explainer.explainer.exemplar_detectors import (
    exemplar_detectors,
    inverse_covariance,
)
from keras_explainer.explainer.relevance import relevance
from keras_explainer.explainer.residual_start import penalised
from keras_explainer.explainer.sensitivity import sensitivity
from keras_explainer.explainer.warm_start import (
    cell_weights,
    set_detectors,
    smoothed,
)
from keras_explainer.layers import PartMask
from keras_explainer.layers.set_centre import set_centre

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer

CANDIDATES = 32
"""Detectors to choose from, for each place."""
FAR_ENOUGH = 1.5
"""Cells between places; more is no better."""
READING_SCALE = 0.3
SILENT_SHARE = 0.3
CONCENTRATION = 0.8
MOST_CELLS = 40_000
MOST_PLACE_CELLS = 4_000
FEW_VIEWS = 64


def start_groups(
    explainer: Explainer,
    views: np.ndarray,
    boxes: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Finds places and makes groups of filters that read there (`GroupedPartConv2D`).

    Places: `exemplar_detectors`, made to agree by `consensus_detectors`, of which
    `choose_places` takes some. Each group reads,
    inside its mask, along the directions in which the features differ most there as the
    teacher's answer feels it (see `sensitivity`), added to a direction that predicts
    the place. The detections are raised until `CONCENTRATION` of the maps' mass lies
    around the place.

    Args:
        explainer: whose encoder is set.
        views: `(N, V, H, W, C)` of train images.
        boxes: `(N, V, 5)` of the views.
        random: of the cells that detectors begin with.
    """
    encoder = explainer.encoder
    layer: Any = encoder.conv_2
    flat = views.reshape(-1, *views.shape[2:])
    _start_places(explainer, views, boxes, random)
    places = batched(encoder.conv_1, flat)
    scale = np.array([_spread(places[..., k]) for k in range(layer.places)])
    places = places / scale

    metric = sensitivity(explainer.teacher, views[:, 0], explainer.seed)
    values, vectors = np.linalg.eigh(metric)
    root = (vectors * np.sqrt(np.maximum(values, 1e-6 * values.max()))) @ vectors.T
    mean = flat.reshape(-1, flat.shape[-1]).mean(0)
    step = max(1, flat[..., 0].size // MOST_CELLS)
    cells = flat.reshape(-1, len(mean))[::step] - mean
    wanted = smoothed(smoothed(places, (3, 3)), (3, 3))
    wanted = wanted.reshape(-1, layer.places)[::step]
    square = (cells.T @ cells).astype("float64")
    cross = cells.T @ (wanted - wanted.mean(0))
    own = np.linalg.solve(penalised(square, 1e-2), cross)
    covariance = square / len(cells) - np.outer(cells.mean(0), cells.mean(0))
    inside = batched(layer.part_mask.mask, places) > 0
    # Every fifth view tells enough, unless there are few.
    few = slice(None, None, max(1, min(5, len(flat) // FEW_VIEWS)))
    around = batched(PartMask(layer.beta, flat=True).mask, places[few]) > 0
    told = (flat[few] - mean).reshape(-1, len(mean))
    readings, offsets, raised = [], [], []
    for k in range(layer.places):
        at = np.flatnonzero(inside[..., k])
        at = at[:: max(1, len(at) // MOST_PLACE_CELLS)]
        there = flat.reshape(-1, len(mean))[at]
        weights = _readings(own[:, k], there, covariance, root, layer.group_size)
        response = told @ weights
        offset = -np.quantile(response, SILENT_SHARE, axis=0)
        fired = np.maximum(response + offset, 0).reshape(*around.shape[:-1], -1)
        raised.append(_raise(fired, places[few, ..., k, None], around[..., k, None]))
        readings.append(weights)
        offsets.append(offset - mean @ weights)
    factor = np.array(raised) / scale
    kernel, bias = encoder.conv_1.conv.get_weights()
    encoder.conv_1.conv.set_weights([kernel * factor, bias * factor])
    set_centre(layer.readings, np.concatenate(readings, 1), np.concatenate(offsets))


def _start_places(
    explainer: Explainer,
    views: np.ndarray,
    boxes: np.ndarray,
    random: np.random.Generator,
) -> None:
    """Sets the detectors, one for each place."""
    conv, count = explainer.encoder.conv_1, explainer.encoder.places
    size = conv.conv.kernel.shape[:2]
    smooth = smoothed(views.reshape(-1, *views.shape[2:]), size)
    mean = smooth.reshape(-1, views.shape[-1]).mean(0)
    smooth -= mean
    centred = smooth.reshape(views.shape)
    relevant = relevance(explainer.teacher, views[:, 0])[:, None]
    weights = cell_weights(relevant, smooth[:: views.shape[1]], size)
    images, inverse = centred[:, 0], inverse_covariance(smooth, random)
    found = exemplar_detectors(images, inverse, weights, CANDIDATES * count, random)
    points, worth = _followed(found, centred, boxes)
    for _ in range(explainer.recipe.consensus_rounds):
        found = consensus_detectors(images, inverse, points, worth)
        points, worth = _followed(found, centred, boxes)
    chosen = found[choose_places(points, worth, count)]
    set_detectors(conv, chosen, smooth.reshape(-1, views.shape[-1]), mean)


def _followed(
    directions: np.ndarray, features: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places of each direction in the whole images, `(N, K, 2)`, and their worth."""
    points, error = directions_followed(directions, features, boxes)
    return points, place_worth(points, error)


def choose_places(points: np.ndarray, worth: np.ndarray, count: int) -> np.ndarray:
    """Indices of the places to keep, `(count,)`.

    One after the other that with the most distance times worth. Distance: the mean over
    images to the nearest that is taken, where `FAR_ENOUGH` cells are as good as
    more; without the limit it is the places that wander which are far from all others.

    Args:
        points: `(N, K, 2)` cells of each place in the images.
        worth: `(K,)`, see `place_worth`.
        count: at most `K`.
    """
    left = list(range(len(worth)))
    taken: list[int] = []
    nearest = np.full(points.shape[:2], FAR_ENOUGH)
    while len(taken) < count:
        rank = nearest.mean(0) * worth
        taken.append(max(left, key=rank.__getitem__))
        left.remove(taken[-1])
        step = points - points[:, taken[-1:]]
        nearest = np.minimum(nearest, np.hypot(step[..., 0], step[..., 1]))
    return np.array(taken)


def _readings(
    own: np.ndarray,
    there: np.ndarray,
    covariance: np.ndarray,
    root: np.ndarray,
    count: int,
) -> np.ndarray:
    """`(C, count)`: the place's own direction, and that with one reading each.

    Args:
        own: `(C,)`, predicts the place; of any length.
        there: `(n, C)` features inside the place's mask.
        covariance: `(C, C)` of the features of all cells, to scale by.
        root: `(C, C)`, of the answer's sensitivity.
        count: filters of the group.
    """
    channels = len(own)
    own = own / _spread_along(own[:, None], covariance)
    there = there - there.mean(0, dtype="float64")
    vectors = np.linalg.eigh(root @ (there.T @ there) @ root)[1][:, ::-1]
    found = root @ np.resize(vectors.T, (max(count - 1, 0), channels)).T
    found /= _spread_along(found, covariance)
    directions = np.repeat(own[:, None], count, 1)
    directions[:, 1:] += READING_SCALE * found
    return directions.astype("float32")


def _spread_along(directions: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard deviation of features along directions `(C, K)`; not 0."""
    variance = (directions * (covariance @ directions)).sum(0)
    return np.sqrt(np.maximum(variance, 1e-18))


def _raise(readings: np.ndarray, place: np.ndarray, around: np.ndarray) -> float:
    """What the place is multiplied by so that the maps' mass is concentrated there.

    1 for a place that fires in none of the views: nothing can be said of it.
    """
    count = readings.shape[-1]
    inner, whole = (readings * around).sum(), readings.sum()
    core, total = (place * around).sum() * count, place.sum() * count
    if not total > 0:
        return 1.0
    missing = CONCENTRATION * whole - inner
    gained = core - CONCENTRATION * total
    if gained <= 0:
        # A place that is not so concentrated itself: it shall at least outweigh.
        return float(10 * whole / total)
    return float(max(missing / gained, 1e-3))


def _spread(place: np.ndarray) -> float:
    """Standard deviation of a place's map where it fires."""
    firing = place[place > 0]
    return float(firing.std()) + 1e-6 if len(firing) else 1.0
