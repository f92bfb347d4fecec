"""Separation: filters of one image should sit on different places."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_explainer import global_batch


def separation_loss(maps: Any, sharpness: float = 2.0) -> Any:
    """Minus the mutual information between filter and cell within an image.

    A filter's map, sharpened and normalised to a distribution `q_f` over cells, says
    where it is. `I(f; cell) = H(mean_f q_f) - mean_f H(q_f)` is large when each filter
    is in one place and the filters are in many: copies of one filter have 0, filters
    that each have a cell of their own `log F`. Silent filters are left out. (Ours; the
    aim of the separation terms of part discovery, compare Zhang et al. 2018 and
    Choudhury et al. 2021.)

    Args:
        maps: `(N, H, W, F)`, values ≥ 0.
        sharpness: power that the maps are raised to before they are normalised.

    Returns:
        A float32 scalar in [-log(min(F, H · W)), 0], in nats.
    """
    maps = ops.cast(maps, "float32")
    height, width, filters = maps.shape[1:]
    flat = ops.reshape(maps, (-1, height * width, filters))
    peak = ops.max(flat, axis=1, keepdims=True)
    fires = ops.cast(peak > 0, "float32")
    mass = ops.power(flat / ops.maximum(peak, 1e-12) + 1e-7, sharpness)
    # At least 1 where the map fires; of a silent one so small that it may be 0.
    q = mass / ops.maximum(ops.sum(mass, axis=1, keepdims=True), 0.5)
    firing = ops.maximum(ops.sum(fires, axis=-1, keepdims=True), 1.0)
    mixture = ops.sum(fires * q, axis=-1, keepdims=True) / firing
    own = ops.sum(fires * q * ops.log(q + 1e-12), axis=(1, 2)) / firing[:, 0, 0]
    shared = ops.sum(mixture * ops.log(mixture + 1e-12), axis=(1, 2))
    return global_batch.image_mean(shared - own)
