"""Outlines of parts given by their cells alone."""

from __future__ import annotations

from collections.abc import Iterable

from PIL import Image

from keras_explainer.explanation import drawing


def outlined(
    image: Image.Image,
    cells: Iterable[tuple[int, int]],
    map_size: tuple[int, int],
    beta: float,
    colour: drawing.Colour | None = None,
    width: float | None = None,
) -> Image.Image:
    """A copy of the image with the part around some peaks outlined.

    Args:
        image: RGB, of any size.
        cells: (row, column) of the mask's peaks; none gives a copy.
        map_size: (rows, columns).
        beta: Slope of the mask.
        colour: Of the line; None takes one that shows on most photographs.
        width: Of the line in pixels; None goes by the image's size.
    """
    copy = image.copy()
    drawing.draw_area(
        copy,
        cells,
        map_size,
        beta,
        drawing.colour_of(2) if colour is None else colour,
        max(1.5, max(image.size) / 55) if width is None else width,
    )
    return copy
