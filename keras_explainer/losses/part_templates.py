"""Part templates: the patterns that a part filter's map should look like."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_explainer.errors import ConfigError


def part_templates(
    height: int, width: int, beta: float = 4.0, tau: float | None = None
) -> np.ndarray:
    """The positive templates `T_mu`, one for each cell `mu` of a map.

    `T_mu(ij) = tau · max(1 - beta · ‖(i, j) - mu‖_1 / n, -1)` (arXiv 1710.00935,
    section 3). The papers know square maps only; here `n = max(height, width)` and
    `n² = height · width` in `tau`.

    Args:
        height, width: size of the map in cells, at least 1.
        beta: slope, above 0.
        tau: peak value, above 0; None is the papers' `0.5 / n²`.

    Returns:
        `(height · width, height · width)` float32: row `mu` is the flat template with
        its peak at cell `mu` (row-major).
    """
    rows, columns, tau = _slopes(height, width, beta, tau)
    return np.maximum(rows + columns, -tau).reshape(height * width, height * width)


def template_tensor(height: int, width: int, beta: float, tau: float) -> Any:
    """`part_templates`, made where it is used: a constant of 100 x 100 cells is 400 MB.

    TensorFlow copies constants of its graphs several times, XLA writes them into its
    programs.
    """
    rows, columns, tau = _slopes(height, width, beta, tau)
    templates = ops.maximum(
        ops.convert_to_tensor(rows) + ops.convert_to_tensor(columns), -tau
    )
    return ops.reshape(templates, (height * width, height * width))


def _slopes(
    height: int, width: int, beta: float, tau: float | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """What rows and columns add to a template, `(H, 1, H, 1)` and `(1, W, 1, W)`."""
    if height < 1 or width < 1:
        raise ConfigError(f"A map needs at least one cell, got {height} x {width}.")
    if tau is None:
        tau = 0.5 / (height * width)
    if not (beta > 0 and tau > 0):
        raise ConfigError(f"beta and tau must be above 0, got {beta} and {tau}.")

    def slope(size: int) -> np.ndarray:
        cells = np.arange(size)
        distance = abs(np.subtract.outer(cells, cells))
        return -tau * beta * distance / max(height, width)

    rows, columns = tau + slope(height), slope(width)
    return (
        rows.astype("float32")[:, None, :, None],
        columns.astype("float32")[None, :, None, :],
        tau,
    )
