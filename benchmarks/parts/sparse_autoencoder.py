"""A top-k sparse autoencoder (Gao et al., arXiv 2406.04093) of cell features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

EPOCHS, BATCH, RATE = 12, 1024, 1e-3


class TopK(keras.layers.Layer):
    """Keeps the k largest values of the last axis, above 0; the others become 0."""

    def __init__(self, k: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = k

    def call(self, scores: Any) -> Any:
        least = ops.top_k(scores, self.k)[0][..., -1:]
        return ops.where(scores >= least, ops.relu(scores), 0.0)


def sparse_autoencoder(
    cells: np.ndarray, latents: int, k: int, seed: int
) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray], int]:
    """Learns one; encode (…, C) -> (…, latents), decode back, and its parameters."""
    keras.utils.set_random_seed(seed)
    channels = cells.shape[-1]
    mean, scale = cells.mean(0), float(cells.std()) or 1.0
    inputs = keras.Input((channels,))
    encoder = keras.Sequential([inputs, keras.layers.Dense(latents), TopK(k)])
    decoder = keras.Sequential([keras.Input((latents,)), keras.layers.Dense(channels)])
    # Tied at the start, as published: fewer latents die.
    decoder.layers[0].set_weights(
        [encoder.layers[0].get_weights()[0].T, np.zeros(channels)]
    )
    model = keras.Model(inputs, decoder(encoder(inputs)))
    model.compile(keras.optimizers.Adam(RATE), "mse")
    scaled = (cells - mean) / scale
    model.fit(scaled, scaled, batch_size=BATCH, epochs=EPOCHS, verbose=0)

    def encode(x: np.ndarray) -> np.ndarray:
        flat = (x.reshape(-1, channels) - mean) / scale
        codes = encoder.predict(flat, batch_size=8192, verbose=0)
        return codes.reshape(*x.shape[:-1], latents)

    def decode(z: np.ndarray) -> np.ndarray:
        found = decoder.predict(z.reshape(-1, latents), batch_size=8192, verbose=0)
        return (found * scale + mean).reshape(*z.shape[:-1], channels)

    return encode, decode, model.count_params()
