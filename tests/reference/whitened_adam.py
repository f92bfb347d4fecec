"""Adam in whitened coordinates, float64, written from the equations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def whitening(inputs: np.ndarray, ridge: float = 0.01) -> np.ndarray:
    """`(E[x xᵀ] + r I)^(-1/2)` by its defining property, not by its eigenvectors.

    Newton's iteration for the inverse square root of a positive matrix (Denman and
    Beavers): `Y → A^(1/2)`, `Z → A^(-1/2)`.
    """
    inputs = inputs.astype("float64")
    channels = inputs.shape[1]
    square = np.zeros((channels, channels))
    for row in inputs:
        square += np.outer(row, row) / len(inputs)
    variances = [np.mean((column - column.mean()) ** 2) for column in inputs.T]
    square += (ridge * np.mean(variances) + 1e-9) * np.eye(channels)
    root, inverse = square, np.eye(channels)
    for _ in range(60):
        root, inverse = (
            0.5 * (root + np.linalg.inv(inverse)),
            0.5 * (inverse + np.linalg.inv(root)),
        )
    return inverse


def learned(
    kernel: np.ndarray,
    gradients: Sequence[np.ndarray],
    basis: np.ndarray,
    rate: float,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> np.ndarray:
    """A kernel `(C, F)` after Adam's steps on `kernel'`, where `kernel = B kernel'`.

    `gradients` are those of the loss by the kernel; by `kernel'` they are `Bᵀ g`.
    Bias-corrected moments as Keras has them (epsilon is added to the uncorrected root).
    """
    inner = np.linalg.solve(basis, kernel.astype("float64"))
    first = np.zeros_like(inner)
    second = np.zeros_like(inner)
    for step, gradient in enumerate(gradients, 1):
        slope = basis.T @ gradient.astype("float64")
        first = beta_1 * first + (1 - beta_1) * slope
        second = beta_2 * second + (1 - beta_2) * slope**2
        size = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
        inner = inner - size * first / (np.sqrt(second) + epsilon)
    return basis @ inner
