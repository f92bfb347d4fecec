"""`ImageBank`: the pictures of a report, each embedded once."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.explanation import drawing

_CHUNK = 32


class ImageBank:
    """JPEGs as base64, found by the number of their image.

    An image that several filters share is embedded once; outlines are drawn over it by
    the page. What does not fit into the budget is left out, the last asked for first.

    Args:
        images: where they are read from.
        longest: pixels of a picture's longer side; smaller images keep their size.
        budget: characters of base64 in all.
        quality: of the JPEGs.
    """

    def __init__(
        self, images: ImageSource, longest: int, budget: int, quality: int = 80
    ) -> None:
        self._images, self._longest, self._quality = images, longest, quality
        self._budget = budget
        self.pictures: list[str] = []
        self.left_out = 0
        self._place: dict[int, int] = {}

    def add(
        self,
        numbers: Sequence[int],
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Embeds images, in this order, those that are there already left out."""
        new = [n for n in dict.fromkeys(numbers) if n not in self._place]
        for start in range(0, len(new), _CHUNK):
            chunk = new[start : start + _CHUNK]
            if self._budget <= 0:
                self.left_out += len(chunk)
                continue
            for number, image in zip(chunk, self._images.images(chunk), strict=True):
                picture = self._jpeg(image)
                if len(picture) > self._budget:
                    self._budget = 0
                    self.left_out += 1
                    continue
                self._budget -= len(picture)
                self._place[number] = len(self.pictures)
                self.pictures.append(picture)
            if progress:
                progress(min(start + _CHUNK, len(new)), len(new))

    def place(self, number: int) -> int | None:
        """The place of an image in `pictures`; None if it was left out."""
        return self._place.get(number)

    def _jpeg(self, image: np.ndarray) -> str:
        shown: Image.Image = drawing.display_image(image)
        if max(shown.size) > self._longest:
            shown = drawing.scaled(shown, self._longest)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=self._quality, optimize=True)
        return base64.b64encode(buffer.getvalue()).decode()
