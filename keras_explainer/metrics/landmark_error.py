"""Landmark regression: do the filters' positions predict the part centres?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_explainer.metrics.array_inputs import FloatArray, IntArray, as_centres
from keras_explainer.metrics.positions import Positions
from keras_explainer.metrics.selection import SPLITS, annotated, halves

LAMBDAS: tuple[float, ...] = tuple(10.0 ** np.arange(-2, 5))
"""Ridge penalties to choose from."""
FOLDS = 5
"""Folds of the cross-validation that chooses the penalty."""
MINIMUM_ANNOTATED = 30
"""A part annotated on fewer images has no landmark error."""


class LandmarkErrors(NamedTuple):
    """Mean distances over the image diagonal; lower is better.

    Attributes:
        error: of the regression, mean over parts (`landmark_error`).
        mean_predictor: of always predicting the mean centre, mean over parts
            (`landmark_mean_predictor`).
        by_part: of the regression, by part (`landmark_by_part`).
        mean_predictor_by_part: of the mean centre, by part.

    `None` where a part has fewer than 30 annotated images, and everywhere when no
    filter is live.
    """

    error: float | None
    mean_predictor: float | None
    by_part: list[float | None] | None
    mean_predictor_by_part: list[float | None] | None


def landmark_error(
    positions: Positions,
    centres: Any,
    *,
    splits: int = SPLITS,
    lambdas: Sequence[float] = LAMBDAS,
) -> LandmarkErrors:
    """Error of part centres that are regressed from the filters' positions.

    Ridge regression with intercept from the positions of all live filters (divided by
    the image's sides; where a filter is silent, its mean) to a part's centre. The
    penalty is chosen by 5-fold cross-validation on half A of the images, the error
    measured on half B; mean of `splits` seeded halvings.

    Args:
        positions: of C filters in N images.
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        splits: number of halvings, seeded 0, 1, ...
        lambdas: penalties to choose from.

    Raises:
        DataError: `centres` cannot be used.
    """
    centres = as_centres(centres, len(positions.cell))
    if not positions.live.any():
        return LandmarkErrors(None, None, None, None)
    features = _features(positions)
    ridge = _Ridge(features, np.asarray(lambdas, np.float64))
    by_part: list[float | None] = []
    mean_by_part: list[float | None] = []
    for part in range(centres.shape[1]):
        if (~np.isnan(centres[:, part, 0])).sum() < MINIMUM_ANNOTATED:
            by_part.append(None)
            mean_by_part.append(None)
            continue
        errors, means = [], []
        for seed in range(splits):
            half_a, half_b = halves(len(centres), seed)
            train = annotated(centres, part, half_a)
            test = annotated(centres, part, half_b)
            if not len(train) or not len(test):
                continue
            truth = centres[:, part]
            chosen = ridge.choose(truth, train)
            errors.append(ridge.errors(truth, train, test)[chosen])
            means.append(_distance(truth[train].mean(0), truth[test]))
        by_part.append(_over(errors, positions.diagonal))
        mean_by_part.append(_over(means, positions.diagonal))
    return LandmarkErrors(_mean(by_part), _mean(mean_by_part), by_part, mean_by_part)


def _features(positions: Positions) -> FloatArray:
    """(N, 2·live) positions over the image's sides, silent ones filled in."""
    live = positions.live
    fires = ~positions.silent[:, live, None]
    place = positions.pixels[:, live]
    mean = np.where(fires, place, 0).sum(0) / fires.sum(0)
    filled = np.where(fires, place, mean) / np.asarray(positions.image_size)
    return filled.reshape(len(filled), -1)


def _distance(predicted: FloatArray, truth: FloatArray) -> float:
    return float(np.sqrt(((predicted - truth) ** 2).sum(-1)).mean())


def _over(distances: list[float], diagonal: float) -> float | None:
    return float(np.mean(distances)) / diagonal if distances else None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


class _Ridge:
    """Ridge regression for all penalties from one eigen-decomposition."""

    def __init__(self, features: FloatArray, lambdas: FloatArray) -> None:
        self.features = features - features.mean(0)
        self.lambdas = lambdas
        # Enough for fits with fewer images than features, the usual case.
        self.gram = self.features @ self.features.T

    def errors(self, truth: FloatArray, train: IntArray, test: IntArray) -> FloatArray:
        """Mean distance on `test` for each penalty, learned on `train`."""
        if len(train) <= self.features.shape[1]:
            project, values, targets = self._dual(truth, train, test)
        else:
            project, values, targets = self._primal(truth, train, test)
        shrink = 1 / (np.maximum(values, 0) + self.lambdas[:, None])
        predicted = project @ (shrink[..., None] * targets) + truth[train].mean(0)
        return np.sqrt(((predicted - truth[test]) ** 2).sum(-1)).mean(-1)

    def choose(self, truth: FloatArray, train: IntArray) -> int:
        """Index of the penalty with the lowest cross-validated error on `train`."""
        if len(train) < FOLDS:
            return 0
        scores = [
            self.errors(truth, np.setdiff1d(train, fold), fold)
            for fold in np.array_split(train, FOLDS)
        ]
        return int(np.argmin(np.mean(scores, 0)))

    def _dual(
        self, truth: FloatArray, train: IntArray, test: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        inner, outer = self.gram[np.ix_(train, train)], self.gram[np.ix_(test, train)]
        column = inner.mean(0)
        # Centring both sides at the mean of `train` needs the Gram matrix only.
        outer = outer - outer.mean(1, keepdims=True) - column + column.mean()
        inner = inner - column[:, None] - column + column.mean()
        values, vectors = np.linalg.eigh(inner)
        centred = truth[train] - truth[train].mean(0)
        return outer @ vectors, values, vectors.T @ centred

    def _primal(
        self, truth: FloatArray, train: IntArray, test: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        mean = self.features[train].mean(0)
        inner, outer = self.features[train] - mean, self.features[test] - mean
        values, vectors = np.linalg.eigh(inner.T @ inner)
        centred = truth[train] - truth[train].mean(0)
        return outer @ vectors, values, vectors.T @ (inner.T @ centred)
