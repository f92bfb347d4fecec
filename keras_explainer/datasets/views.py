"""Views of an image: itself and random crops, some of them flipped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from keras_explainer.errors import ConfigError

WHOLE_IMAGE = (0.0, 0.0, 1.0, 1.0, 0.0)


@dataclass(frozen=True)
class ViewSpec:
    """Which views of each image are made: the image itself, then random crops.

    A view is a box `(top, left, height, width, flipped)`: the first four are
    fractions of the image in [0, 1], the last is 1 where the crop is mirrored left to
    right. Crops keep the image's aspect, as a crop of the same share of both sides.

    Args:
        count: views per image, at least 1; the first is always the whole image.
        smallest, largest: range of a crop's side, as a share of the image's, in (0, 1].
        flip: probability that a crop is mirrored.
        seed: of the random boxes.
    """

    count: int = 4
    smallest: float = 0.6
    largest: float = 0.95
    flip: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if int(self.count) != self.count or self.count < 1:
            raise ConfigError(f"views must be a whole number from 1, got {self.count}.")
        if not 0 < self.smallest <= self.largest <= 1:
            raise ConfigError(
                "A crop's side must satisfy 0 < smallest <= largest <= 1, got "
                f"{self.smallest} and {self.largest}."
            )
        if not 0 <= self.flip <= 1:
            raise ConfigError(f"flip is a probability in [0, 1], got {self.flip}.")

    def boxes(self, start: int, stop: int) -> np.ndarray:
        """Boxes of images `start` to `stop`, `(stop - start, count, 5)` float32.

        An image's boxes depend on its row and the seed alone, so that an interrupted
        cache goes on with the same ones.
        """
        out = np.empty((stop - start, self.count, 5), "float32")
        out[:, 0] = WHOLE_IMAGE
        for row in range(start, stop):
            random = np.random.default_rng([self.seed, row])
            side = random.uniform(self.smallest, self.largest, self.count - 1)
            views = out[row - start, 1:]
            views[:, 0] = random.uniform(0, 1, self.count - 1) * (1 - side)
            views[:, 1] = random.uniform(0, 1, self.count - 1) * (1 - side)
            views[:, 2] = views[:, 3] = side
            views[:, 4] = random.uniform(0, 1, self.count - 1) < self.flip
        return out

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-able values."""
        return asdict(self)


def view_images(images: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cuts the views out of images, each resized to the image's own size.

    Args:
        images: `(N, H, W, C)`, uint8 or float.
        boxes: `(N, V, 5)`, see `ViewSpec`.

    Returns:
        `(N, V, H, W, C)` of the images' dtype; whole-image boxes give exact copies.
    """
    count, views = boxes.shape[:2]
    out = np.empty((count, views, *images.shape[1:]), images.dtype)
    for n in range(count):
        for v in range(views):
            out[n, v] = _view(images[n], boxes[n, v])
    return out


def _view(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    top, left, height, width, flipped = (float(value) for value in box)
    view = image
    if (top, left, height, width) != WHOLE_IMAGE[:4]:
        rows, columns = image.shape[:2]
        pixels = (
            left * columns,
            top * rows,
            min((left + width) * columns, columns),
            min((top + height) * rows, rows),
        )
        view = _resized(image, pixels)
    return view[:, ::-1] if flipped else view


def _resized(
    image: np.ndarray, pixels: tuple[float, float, float, float]
) -> np.ndarray:
    rows, columns, channels = image.shape
    size = (columns, rows)
    bilinear = Image.Resampling.BILINEAR
    if image.dtype == np.uint8 and channels == 3:
        return np.asarray(Image.fromarray(image).resize(size, bilinear, pixels))
    planes = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(image[..., c], "float32")).resize(
                size, bilinear, pixels
            )
        )
        for c in range(channels)
    ]
    view = np.stack(planes, axis=-1)
    if np.issubdtype(image.dtype, np.integer):
        limits = np.iinfo(image.dtype)
        view = np.clip(np.rint(view), limits.min, limits.max)
    return view.astype(image.dtype)
