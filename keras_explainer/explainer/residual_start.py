"""Start of the ordinary track, of `p` and of the adapter, from parts that are found."""

from __future__ import annotations

import numpy as np

from keras_explainer.explainer.batched import batched
from keras_explainer.explainer.decoders import TeacherCopyDecoder
from keras_explainer.explainer.encoder import Encoder
from keras_explainer.layers.set_centre import set_centre

CLIPPED_SHARE = 0.02
"""Of the ordinary track's values, by its ReLU."""
PENALTY = 1e-3
MOST_CELLS = 12_000
"""Of which the quantiles are taken."""


def start_residual(
    encoder: Encoder, decoder: TeacherCopyDecoder, features: np.ndarray
) -> None:
    """Starts adapter, ordinary track and `p` so that the parts do what they can.

    The adapter is the ridge regression of the tap's features, less their mean in each
    cell, on the normalised parts; the ordinary track is what is missing then, sent
    through the adapter's inverse; `p` is such that both keep their size. At last the
    adapter is fitted to the parts with the ordinary track at its mean.

    All regressions are solved from the same few products of parts and features; means
    in a cell are the same for all images, so that of them the sums over images do.

    Args:
        encoder, decoder: with their parts and the norms' state.
        features: `(N, H, W, C)` of train images.
    """
    images, channels = len(features), features.shape[-1]
    parts = batched(
        lambda batch: encoder(batch, training=False)["interpretable"], features
    ).reshape(-1, encoder.filters)
    flat = features.reshape(-1, channels)
    mean_parts, mean = parts.mean(0), flat.mean(0)
    parts -= mean_parts
    centred = flat - mean
    gram, cross = parts.T @ parts, parts.T @ centred
    of_cell = parts.reshape(images, -1, encoder.filters).sum(0)
    moved = centred.reshape(images, -1, channels).sum(0)

    told = _ridge(gram, cross - of_cell.T @ moved / images)
    square = centred.T @ centred
    linear = _ridge(square, square - cross.T @ told)
    weights = linear @ np.linalg.solve(penalised(told.T @ told, PENALTY), told.T)
    weights = weights.astype("float32")
    response = centred @ weights
    some = response[:: max(1, len(response) // MOST_CELLS)]
    needed = -np.quantile(some, CLIPPED_SHARE, axis=0)
    size = max(float(np.quantile(needed, 0.9)), 1.0)
    weights = weights / size
    set_centre(encoder.ordinary_conv, weights, 1.0 - mean @ weights)
    share = min(max(1 / (1 + size), 1e-3), 0.5)
    encoder.gate.share_weight.assign(
        np.log(share / (1 - share)) / encoder.gate.step_scale
    )
    response /= size
    response += 1.0
    ordinary = np.maximum(response, 0, out=response)
    alpha = np.maximum(ordinary.mean(0), 1e-5)
    encoder.norm_ordinary.set_alpha(alpha)
    ordinary = ordinary.reshape(images, -1, encoder.filters).mean(0) / alpha

    # x_enc with the ordinary track at its mean: share · parts + (1 - share) · ordinary.
    rest = (1 - share) * ordinary
    mean_alone = share * mean_parts + rest.mean(0)
    rest = rest - rest.mean(0)
    mixed = share * of_cell.T @ rest
    gram = share**2 * gram + mixed + mixed.T + images * rest.T @ rest
    matrix = _ridge(gram, share * cross + rest.T @ moved).astype("float32")
    decoder.set_adapter(matrix, mean - mean_alone @ matrix)


def penalised(square: np.ndarray, share: float) -> np.ndarray:
    """A square matrix with a share of its mean diagonal added to the diagonal."""
    size = len(square)
    return square + (share * np.trace(square) / size + 1e-9) * np.eye(size)


def _ridge(gram: np.ndarray, cross: np.ndarray) -> np.ndarray:
    """Matrix of a ridge regression in float64; the penalty is relative to variances.

    Args:
        gram: `(I, I)` products of the centred inputs.
        cross: `(I, O)` of these and the outputs.
    """
    scale = np.sqrt(np.diag(gram).astype("float64")) + 1e-9
    scaled = gram / scale / scale[:, None]
    scaled[np.diag_indices_from(scaled)] += PENALTY
    return np.linalg.solve(scaled, cross / scale[:, None]) / scale[:, None]
