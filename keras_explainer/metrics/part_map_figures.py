"""All map-based figures in one pass over the images."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from keras_explainer.errors import DataError
from keras_explainer.metrics.array_inputs import (
    FloatArray,
    IntArray,
    as_image_size,
    as_maps,
    as_numpy,
    check_maps_shape,
)
from keras_explainer.metrics.co_moments import CoMoments
from keras_explainer.metrics.concentration import (
    concentration_by_image,
    mean_concentration,
)
from keras_explainer.metrics.distinct_positions import distinct_positions
from keras_explainer.metrics.landmark_error import LandmarkErrors, landmark_error
from keras_explainer.metrics.location_instability import location_instability
from keras_explainer.metrics.part_tracking import part_tracking
from keras_explainer.metrics.positions import Positions, arg_max

# Bounds the float64 copy of a large batch.
CHUNK_IMAGES = 32


class PartMapFigures:
    """Accumulates feature maps batch by batch and gives their figures.

    Keeps, per image and filter, position and strength; per filter, what concentration
    needs; per pair of filters, a co-moment: never the maps. The order of the batches
    and their sizes change nothing but rounding.

    Example:

    ```python
    figures = PartMapFigures()
    for images in batches:
        figures.update(tap(images))
    figures.result(centres, image_size=(224, 224))["part_tracking_share"]
    ```
    """

    directions: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "location_instability": "down",
            "part_tracking_share": "up",
            "tracking_by_part": "up",
            "landmark_error": "down",
            "landmark_by_part": "down",
            "distinct_positions": "up",
            "concentration": "up",
            "filter_correlation": "down",
            "dead_filters": "down",
        }
    )
    """Whether a higher ("up") or a lower ("down") figure is better."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forgets all images; the next batch may have another shape."""
        self._map_shape: tuple[int, int] | None = None
        self._cells: list[IntArray] = []
        self._strengths: list[FloatArray] = []
        self._concentration: FloatArray = np.zeros(0)
        self._moments = CoMoments(0)

    @property
    def images(self) -> int:
        """Number of images seen."""
        return sum(len(cell) for cell in self._cells)

    def update(self, maps: Any) -> None:
        """Adds the maps of a batch of images.

        Args:
            maps: (n, H, W, C) ReLU outputs before the part mask, array or tensor. An
                empty batch adds nothing.

        Raises:
            DataError: not maps, another H, W or C than before, NaN or infinity;
                the images of earlier batches are kept, of this one none is added.
        """
        array = as_numpy(maps)
        check_maps_shape(array.shape)
        height, width, filters = array.shape[1:]
        if self._map_shape is not None:
            known = (*self._map_shape, len(self._concentration))
            if (height, width, filters) != known:
                raise DataError(
                    f"This batch has maps of (height, width, filters) "
                    f"{(height, width, filters)}, earlier ones {known}; call reset() "
                    "to begin anew."
                )
        if array.dtype.kind not in "bui" and not _finite(array):
            as_maps(array)
        if not len(array):
            return
        if self._map_shape is None:
            self._map_shape = (height, width)
            self._concentration = np.zeros(filters)
            self._moments = CoMoments(filters)
        for start in range(0, len(array), CHUNK_IMAGES):
            self._add(np.asarray(array[start : start + CHUNK_IMAGES], np.float64))

    def _add(self, maps: FloatArray) -> None:
        cell, strength = arg_max(maps)
        self._cells.append(cell)
        self._strengths.append(strength)
        share = concentration_by_image(maps, cell)
        self._concentration += np.where(strength > 0, share, 0).sum(0)
        self._moments.update(maps.reshape(-1, maps.shape[-1]))

    def positions(self, image_size: Any) -> Positions:
        """Positions of all filters in all images seen, in their order.

        Args:
            image_size: (height, width) of the images in pixels.

        Raises:
            DataError: no image was seen, or `image_size` is not a size.
        """
        if self._map_shape is None:
            raise DataError(
                "No image was seen; call update(maps) with at least one image first."
            )
        return Positions(
            np.concatenate(self._cells),
            np.concatenate(self._strengths),
            self._map_shape,
            as_image_size(image_size),
        )

    def result(self, centres: Any, image_size: Any) -> dict[str, Any]:
        """All figures of the images seen.

        Args:
            centres: (N, P, 2) part centres in pixels (y, x) of the images in the order
                of the updates, NaN where absent. `None` without annotations: the
                figures that need them are then `None`.
            image_size: (height, width) of the images in pixels.

        Returns:
            `location_instability`, `part_tracking_share`, `tracking_by_part` (list by
            part), `landmark_error`, `landmark_mean_predictor`, `landmark_by_part`
            (list by part), `distinct_positions`, `concentration`,
            `filter_correlation`, `dead_filters` (count), `filters` (count): Python
            numbers and lists, `None` for what cannot be had.

        Raises:
            DataError: no image was seen, or an argument cannot be used.
        """
        positions = self.positions(image_size)
        instability: float | None = None
        share: float | None = None
        by_part: list[float] | None = None
        landmarks = LandmarkErrors(None, None, None, None)
        if centres is not None:
            instability = location_instability(positions, centres)
            share, by_part = part_tracking(positions, centres)
            landmarks = landmark_error(positions, centres)
        live = positions.live
        fires = (~positions.silent).sum(0)
        return {
            "location_instability": instability,
            "part_tracking_share": share,
            "tracking_by_part": by_part,
            "landmark_error": landmarks.error,
            "landmark_mean_predictor": landmarks.mean_predictor,
            "landmark_by_part": landmarks.by_part,
            "distinct_positions": distinct_positions(positions),
            "concentration": mean_concentration(self._concentration, fires, live),
            "filter_correlation": self._moments.mean_absolute_correlation(live),
            "dead_filters": int((~live).sum()),
            "filters": len(live),
        }


def _finite(array: Any) -> bool:
    return all(
        bool(np.isfinite(array[start : start + CHUNK_IMAGES]).all())
        for start in range(0, len(array), CHUNK_IMAGES)
    )
