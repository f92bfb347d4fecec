"""Where the cells of a tap's map lie in the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras_explainer.errors import ConfigError


@dataclass(frozen=True)
class TapGeometry:
    """The map of a tap against the image, all in pixels, (y, x) order.

    A pixel's centre is at its index + 0.5, so the image's centre is at
    (height / 2, width / 2).

    Attributes:
        image_size: (height, width) of the teacher's input.
        map_size: (rows, columns) of the tap's map.
        stride: Pixels between neighbouring cells, from the layers; where it cannot
            be derived (see `receptive_field`) image size / map size.
        receptive_field: (height, width) of the window that a cell sees, by the
            windows of convolutions and pooling; it may be larger than the image.
            What reaches over the whole image and locates nothing (global pooling
            that gates channels, normalisation over space) is left out. None where
            it cannot be derived: a layer that mixes positions in an unknown way.
        first_centre: Centre of the receptive field of cell (0, 0); it may lie
            outside the image. None as above, and where branches with different
            centres meet.
    """

    image_size: tuple[int, int]
    map_size: tuple[int, int]
    stride: tuple[float, float]
    receptive_field: tuple[float, float] | None
    first_centre: tuple[float, float] | None

    def cell_centre(self, row: float, col: float) -> tuple[float, float]:
        """The centre of a cell of the image divided into rows x columns.

        The position that all metrics use: ((row+.5)·height/H, (col+.5)·width/W).

        Raises:
            ConfigError: A cell outside the map.
        """
        self._check(row, col)
        return (
            (row + 0.5) * self.image_size[0] / self.map_size[0],
            (col + 0.5) * self.image_size[1] / self.map_size[1],
        )

    def receptive_centre(self, row: float, col: float) -> tuple[float, float] | None:
        """The centre of a cell's receptive field, None where it is not known.

        Raises:
            ConfigError: A cell outside the map.
        """
        self._check(row, col)
        if self.first_centre is None:
            return None
        return (
            self.first_centre[0] + row * self.stride[0],
            self.first_centre[1] + col * self.stride[1],
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able facts."""
        return {
            "image_size": list(self.image_size),
            "map_size": list(self.map_size),
            "stride": list(self.stride),
            "receptive_field": _listed(self.receptive_field),
            "first_centre": _listed(self.first_centre),
        }

    def _check(self, row: float, col: float) -> None:
        if not (0 <= row < self.map_size[0] and 0 <= col < self.map_size[1]):
            raise ConfigError(
                f"Cell ({row}, {col}) is outside the map of {self.map_size[0]} x "
                f"{self.map_size[1]} cells."
            )


def _listed(pair: tuple[float, float] | None) -> list[float] | None:
    return None if pair is None else [float(number) for number in pair]
