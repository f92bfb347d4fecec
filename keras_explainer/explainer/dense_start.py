"""Start of the paper's decoder: each dense layer by ridge regression, in its dual."""

from __future__ import annotations

import numpy as np

from keras_explainer.explainer.batched import batched
from keras_explainer.explainer.decoders import FCDecoder
from keras_explainer.explainer.encoder import Encoder

FOLDS = 5
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Shares of the mean squared length of a centred input."""


def start_dense(
    encoder: Encoder,
    decoder: FCDecoder,
    features: np.ndarray,
    targets: dict[str, np.ndarray],
) -> None:
    """Sets each dense layer to the ridge regression of its target.

    A dense layer on a flattened map has many times more inputs than there are images:
    from random weights it does not get to what predicts an image that it has not seen.
    The penalty is the one that predicts images left out best; the next layer starts on
    what is predicted of them so, as the fit to the images themselves is too good.

    Args:
        encoder: with its start weights and norms.
        decoder: whose weights are set.
        features: `(N, V, H, W, C)` of train images in views.
        targets: `{target: (N, V, units)}` of the same.
    """
    count, views = features.shape[:2]
    folds = np.repeat(np.arange(count) % FOLDS, views)
    flat = features.reshape(-1, *features.shape[2:])
    inputs = batched(
        lambda batch: encoder(batch, training=False)["encoding"], flat
    ).reshape(len(flat), -1)
    for target, activation in decoder.activations.items():
        wanted = targets[target].reshape(len(flat), -1).astype("float32")
        kernel, bias, left_out = _dual_ridge(inputs, wanted, folds)
        decoder.set_dense(target, kernel, bias)
        inputs = np.maximum(left_out, 0) if activation == "relu" else left_out


def _dual_ridge(
    inputs: np.ndarray, outputs: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ridge regression with few rows: kernel, bias and predictions of left-out rows.

    Args:
        inputs: `(n, d)`.
        outputs: `(n, u)`.
        folds: `(n,)`, rows of one number are left out together.
    """
    mean_in, mean_out = inputs.mean(0), outputs.mean(0)
    centred, wanted = inputs - mean_in, (outputs - mean_out).astype("float64")
    gram = (centred @ centred.T).astype("float64")
    size = max(np.trace(gram) / len(gram), 1e-12)

    def weights(penalty: float, rows: np.ndarray) -> np.ndarray:
        square = gram[np.ix_(rows, rows)] + penalty * size * np.eye(len(rows))
        return np.linalg.solve(square, wanted[rows])

    everything = np.arange(len(gram))
    best, least = np.zeros_like(wanted), np.inf
    chosen = PENALTIES[-1]
    for penalty in PENALTIES:
        predicted = np.zeros_like(wanted)
        for fold in np.unique(folds):
            out, kept = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            if len(kept):
                predicted[out] = gram[np.ix_(out, kept)] @ weights(penalty, kept)
        error = float(np.square(predicted - wanted).sum())
        if error < least:
            best, least, chosen = predicted, error, penalty
    kernel = centred.T @ weights(chosen, everything).astype("float32")
    bias = mean_out - mean_in @ kernel
    return kernel, bias, (best + mean_out).astype("float32")
