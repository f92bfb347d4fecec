"""Where and how strongly each filter fires in each image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_explainer.metrics.array_inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_image_size,
    as_maps,
)

DEAD_SHARE = 0.99
"""A filter is dead when it is silent on more than this share of the images."""


@dataclass(frozen=True, eq=False)
class Positions:
    """Positions of C filters in N images, as all map-based figures use them.

    Attributes:
        cell: (N, C) flat index of the arg-max cell, row-major; the first on a tie.
        strength: (N, C) maximum of the map.
        map_shape: (H, W) of the map.
        image_size: (height, width) of the image in pixels.
    """

    cell: IntArray
    strength: FloatArray
    map_shape: tuple[int, int]
    image_size: tuple[float, float]

    @cached_property
    def pixels(self) -> FloatArray:
        """(N, C, 2) centre (y, x) of the cell, the image divided into H x W."""
        height, width = self.map_shape
        row, column = np.divmod(self.cell, width)
        return np.stack(
            [
                (row + 0.5) * self.image_size[0] / height,
                (column + 0.5) * self.image_size[1] / width,
            ],
            axis=-1,
        )

    @cached_property
    def silent(self) -> BoolArray:
        """(N, C) true where the maximum is not above 0: no position there."""
        return self.strength <= 0

    @cached_property
    def live(self) -> BoolArray:
        """(C,) true for filters silent on at most 99 % of the images."""
        return self.silent.mean(0) <= DEAD_SHARE

    @cached_property
    def diagonal(self) -> float:
        """Diagonal of the image in pixels."""
        return float(np.hypot(*self.image_size))


def arg_max(maps: FloatArray) -> tuple[IntArray, FloatArray]:
    """Cell and value of the maximum, each (N, C), of maps (N, H, W, C)."""
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    cell = flat.argmax(1)
    return cell, np.take_along_axis(flat, cell[:, None], axis=1)[:, 0]


def positions(maps: Any, image_size: Any) -> Positions:
    """Positions of the filters of one set of feature maps.

    Args:
        maps: (N, H, W, C) ReLU outputs before the part mask.
        image_size: (height, width) of the images in pixels.

    Raises:
        DataError: `maps` or `image_size` cannot be used.
    """
    maps = as_maps(maps)
    cell, strength = arg_max(maps)
    height, width = maps.shape[1:3]
    return Positions(cell, strength, (height, width), as_image_size(image_size))
