"""The baseline that every part figure must be read against."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import as_centres, as_numpy
from keras_explainer.metrics.part_map_figures import PartMapFigures


def constant_position(centres: Any, image_size: Any) -> dict[str, Any]:
    """Figures of one filter that always fires at the image's centre.

    It ignores the image, yet its location instability is low where objects are
    cropped. It tracks no part (R² 0) and predicts landmarks as well as their mean.

    Args:
        centres: (N, P, 2) part centres in pixels (y, x), NaN where absent.
        image_size: (height, width) of the images in pixels.

    Returns:
        The figures of `PartMapFigures.result`; `filter_correlation` is `None`, there
        being one filter.

    Raises:
        DataError: an argument cannot be used.
    """
    centres = as_numpy(centres)
    images = len(centres) if centres.ndim else 0
    centres = as_centres(centres, images)
    if not images:
        raise DataError("The constant position needs at least one image; got none.")
    figures = PartMapFigures()
    # The centre of the only cell of a 1 x 1 map is the centre of the image.
    figures.update(np.ones((images, 1, 1, 1)))
    return figures.result(centres, image_size)
