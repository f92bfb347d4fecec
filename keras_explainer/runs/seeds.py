"""Seeds of all random generators of a process."""

from __future__ import annotations

import random
import sys

import keras
import numpy as np


def set_seeds(seed: int) -> None:
    """As `keras.utils.set_random_seed`, which would import TensorFlow on any backend.

    Args:
        seed: 0 to 2³² - 1.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" or "tensorflow" in sys.modules:
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the generator that Keras and users share
    if backend == "torch":
        import torch

        torch.manual_seed(seed)
