"""Checks of true masks of parts or things, in pixels of the images."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import BoolArray, as_numpy
from keras_explainer.metrics.positions import Positions


def as_masks(masks: Any, positions: Positions) -> BoolArray:
    """Masks as bool (N, P, height, width), of the images that `positions` are of.

    Args:
        masks: (N, P, height, width), bool or 0 and 1.
        positions: of C filters in N images of (height, width) pixels.

    Raises:
        DataError: another rank or number of images, another size than the images have,
            or values other than 0 and 1.
    """
    array = as_numpy(masks)
    if array.ndim != 4 or 0 in array.shape[1:]:
        raise DataError(
            "Masks must have the shape (images, masks, height, width) with at least "
            f"one mask of one pixel; got {array.shape}."
        )
    if len(array) != len(positions.cell):
        raise DataError(
            f"Masks are given for {len(array)} images, feature maps for "
            f"{len(positions.cell)}; both must be of the same images."
        )
    if array.shape[2:] != positions.image_size:
        raise DataError(
            f"The masks have {array.shape[2]} x {array.shape[3]} pixels, the images of "
            f"the positions {positions.image_size[0]:g} x {positions.image_size[1]:g}; "
            "give both in pixels of the same images."
        )
    if array.dtype != np.bool_:
        if not ((array == 0) | (array == 1)).all():
            raise DataError("Masks hold values other than 0 and 1.")
        array = array.astype(np.bool_)
    return array
