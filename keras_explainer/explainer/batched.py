"""What a function of tensors makes of an array too large for one call."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def batched(function: Any, inputs: np.ndarray, size: int = 32) -> np.ndarray:
    """A function of tensors over an array, `size` rows at a time, as float32.

    Large steps are no faster: arrays above 32 MiB are new memory each time.
    """
    found = np.empty(0, "float32")
    for start in range(0, len(inputs), size):
        part = function(ops.convert_to_tensor(inputs[start : start + size]))
        part = ops.convert_to_numpy(ops.cast(part, "float32"))
        if not start:
            found = np.empty((len(inputs), *part.shape[1:]), "float32")
        found[start : start + size] = part
    return found
