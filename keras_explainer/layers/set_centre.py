"""Convs that are a matrix at the centre of their kernel."""

from __future__ import annotations

from typing import Any

import numpy as np


def set_centre(conv: Any, matrix: np.ndarray, bias: Any) -> None:
    """Sets a conv to the matrix `(C, F)` at its kernel's centre, zero elsewhere."""
    kernel = np.zeros(conv.kernel.shape, "float32")
    rows, columns = kernel.shape[:2]
    kernel[(rows - 1) // 2, (columns - 1) // 2] = matrix
    conv.set_weights([kernel, np.broadcast_to(bias, conv.bias.shape).astype("float32")])
