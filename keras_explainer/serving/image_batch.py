"""`ImageBatch`: the images of one request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ImageBatch:
    """Images of one request.

    Attributes:
        rows: Their numbers among all.
        value: (n, h, w, C) float32, or (n,) of bytes for encoded ones.
        bad: {row: why it is not in the batch}: files that cannot be read.
    """

    rows: tuple[int, ...]
    value: np.ndarray
    bad: dict[int, str]
