"""Part templates: the patterns that a part filter's map should look like."""

from __future__ import annotations

import numpy as np

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
    if height < 1 or width < 1:
        raise ConfigError(f"A map needs at least one cell, got {height} x {width}.")
    if tau is None:
        tau = 0.5 / (height * width)
    if not (beta > 0 and tau > 0):
        raise ConfigError(f"beta and tau must be above 0, got {beta} and {tau}.")
    rows, columns = np.ogrid[1 - height : height, 1 - width : width]
    distance = abs(rows) + abs(columns)
    shape = np.maximum(1 - beta * distance / max(height, width), -1)
    pattern = (tau * shape).astype("float32")
    # Each template is a window of one pattern: nothing else is as large as they are.
    windows = np.lib.stride_tricks.sliding_window_view(pattern, (height, width))
    return np.array(windows[::-1, ::-1]).reshape(height * width, height * width)
