"""What a function of tensors makes of an array too large for one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def batched(function: Any, inputs: np.ndarray, size: int = 128) -> np.ndarray:
    """A function of tensors over an array, `size` rows at a time, as float32."""
    parts = [
        ops.convert_to_numpy(
            ops.cast(function(ops.convert_to_tensor(inputs[i : i + size])), "float32")
        )
        for i in range(0, len(inputs), size)
    ]
    return np.concatenate(parts)
