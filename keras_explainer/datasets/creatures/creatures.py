"""`Creatures`: images of creatures drawn by our own code, whose parts are known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.datasets.image_array import ImageArray
from keras_explainer.errors import ConfigError, did_you_mean

from .composition import Composition
from .creature_images import CreatureImages
from .draws import hashed, units
from .figure import PARTS
from .folder import write_folder
from .species import ANATOMY
from .truth import part_truth

SIZES = (32, 512)
"""Smallest and largest side of an image in pixels."""

_ORDER = 90
_BLOCK = 64


class Creatures:
    """A drawn data set of any length, with the truth about each pixel.

    Seven species have a head and a body, and most have legs, a tail or wings; heads,
    tails, legs and wings differ in shape, while colours, patterns, poses and
    backgrounds are drawn alike for all. So species can be told apart by their parts,
    and by nothing else. Each part has a pattern of its own (in colours of the
    individual), and so have distractors: things in the background that bear the
    pattern of a part, but not its shape.

    Image number i depends on the arguments and on i alone: any range can be had by
    itself, the same on every platform (only sums, products, quotients, square roots and
    whole numbers are computed with). The images of `len(species)` numbers in a row from
    a multiple of it are of all the species, in random order.

    Args:
        image_size: side in pixels, or (height, width); 32 to 512.
        species: names of those to draw; None for all of `Creatures.SPECIES`. Labels
            are in this order.
        seed: of everything.
        absent_share: share of images in which legs, tail and wings, each by itself, are
            left out.
        clutter: things behind the creature, at most; their number is uniform from 0.
        distractors: the same for things with the pattern of a part.
        occluders: the same for things in front of the creature.
        companions: the same for further creatures of the same species, behind.
        without: parts that are never drawn; all else stays as it is.
        background_seed: of grounds, things and light alone; `seed` by default. With
            another one the same creatures stand before other backgrounds.
        coat_seed: of colours and patterns alone; `seed` by default.

    Attributes:
        image_size: (height, width).
        species: names.
        part_names: "head", "body", "legs", "tail", "wings".

    Raises:
        ConfigError: an argument that is not accepted.
    """

    SPECIES = tuple(ANATOMY)
    """Names of all species."""
    PARTS = PARTS
    """Names of the parts."""

    def __init__(
        self,
        image_size: int | Sequence[int] = 96,
        species: Sequence[str] | None = None,
        seed: int = 0,
        *,
        absent_share: float = 0.1,
        clutter: int = 6,
        distractors: int = 2,
        occluders: int = 1,
        companions: int = 0,
        without: Sequence[str] = (),
        background_seed: int | None = None,
        coat_seed: int | None = None,
    ) -> None:
        self.image_size = _size(image_size)
        self.species = _names("species", species, self.SPECIES)
        self.part_names = PARTS
        left_out = _names("without", without, PARTS, may_be_empty=True)
        if len(left_out) == len(PARTS):
            raise ConfigError("without leaves no part to draw: name fewer.")
        seed = _whole("seed", seed)
        if not isinstance(absent_share, int | float) or not 0 <= absent_share <= 1:
            raise ConfigError(
                f"absent_share is a number from 0 to 1; got {absent_share!r}."
            )
        self._composition = Composition(
            height=self.image_size[0],
            width=self.image_size[1],
            seed=seed,
            background_seed=_seed("background_seed", background_seed, seed),
            coat_seed=_seed("coat_seed", coat_seed, seed),
            left_out=frozenset(PARTS.index(name) for name in left_out),
            absent_share=float(absent_share),
            clutter=_whole("clutter", clutter, most=50),
            distractors=_whole("distractors", distractors, most=50),
            occluders=_whole("occluders", occluders, most=50),
            companions=_whole("companions", companions, most=10),
        )

    def __repr__(self) -> str:
        height, width = self.image_size
        return (
            f"Creatures({height} x {width}, {len(self.species)} species, "
            f"seed={self._composition.seed})"
        )

    def generate(self, count: int, start: int = 0) -> CreatureImages:
        """Images number `start` to `start + count - 1`.

        Args:
            count: number of images, at least 1.
            start: number of the first, at least 0.

        Raises:
            ConfigError: an argument that is not accepted.
        """
        count, start = _whole("count", count, 1), _whole("start", start)
        composition = self._composition
        canvas = composition.canvas()
        images = np.empty((count, *self.image_size, 3), np.uint8)
        label_map = np.empty((count, *self.image_size), np.uint8)
        whole = np.empty((count, len(PARTS)), np.int64)
        labels = self._labels(count, start)
        for row in range(count):
            species = self.species[labels[row]]
            whole[row] = composition.draw(canvas, species, start + row)
            for channel, values in enumerate(canvas.inner.astype(np.uint8)):
                images[row, ..., channel] = values
            label_map[row] = canvas.inner_labels
        rows = range(0, count, _BLOCK)
        truth = [
            part_truth(label_map[at : at + _BLOCK], whole[at : at + _BLOCK])
            for at in rows
        ]
        centres, boxes, visible = (
            np.concatenate(pieces) for pieces in zip(*truth, strict=True)
        )
        return CreatureImages(
            images, labels, self.species, PARTS, centres, boxes, visible, label_map
        )

    def batches(
        self, count: int, batch_size: int, start: int = 0
    ) -> Iterator[CreatureImages]:
        """The same images, at most `batch_size` at a time, drawn when asked for.

        Raises:
            ConfigError: an argument that is not accepted.
        """
        count, start = _whole("count", count, 1), _whole("start", start)
        batch_size = _whole("batch_size", batch_size, 1)
        end = start + count
        return (
            self.generate(min(batch_size, end - at), at)
            for at in range(start, end, batch_size)
        )

    def image_array(self, count: int, start: int = 0) -> ImageArray:
        """The images with labels, part names and centres, to learn from or measure on.

        Raises:
            ConfigError: an argument that is not accepted.
        """
        drawn = self.generate(count, start)
        return ImageArray(
            drawn.images,
            labels=drawn.label_names,
            part_names=drawn.part_names,
            centres=drawn.centres,
        )

    def write_folder(
        self, path: str | os.PathLike[str], train: int, test: int, start: int = 0
    ) -> Path:
        """Writes images as PNG, and a `parts.csv` that `ImageFolder` reads.

        `train` images come first, `test` images after them; the table has species
        (`name`), `split`, and centre and size of each part.

        Args:
            path: a folder, made if need be; one that has a `parts.csv` is refused.
            train, test: numbers of images, at least 1 in all.
            start: number of the first image.

        Returns:
            The folder.

        Raises:
            ConfigError: an argument that is not accepted.
            DataError: the folder has a table already or cannot be written.
        """
        train, test = _whole("train", train), _whole("test", test)
        if not train + test:
            raise ConfigError("write_folder needs at least one image.")
        return write_folder(
            Path(path), self.batches(train + test, _BLOCK, start), train, start
        )

    def tf_dataset(self, count: int, batch_size: int, start: int = 0) -> Any:
        """A `tf.data.Dataset` of (images, labels), drawn while it is read.

        Batches are (uint8 (b, H, W, 3), int64 (b,)), the last one may be smaller; an
        explainer takes the images and leaves the labels.

        Raises:
            ConfigError: an argument that is not accepted.
            ImportError: TensorFlow is not installed.
        """
        from .tf_data import dataset

        # Arguments are checked here, not when the dataset is first read.
        self.batches(count, batch_size, start)
        return dataset(
            lambda: self.batches(count, batch_size, start),
            self.image_size,
            count,
            batch_size,
        )

    def _labels(self, count: int, start: int) -> np.ndarray:
        """The species of images; each block of numbers has all, in random order."""
        kinds = len(self.species)
        first, last = start // kinds, (start + count - 1) // kinds
        orders = [
            np.argsort(units(hashed(self._composition.seed, _ORDER, block), kinds))
            for block in range(first, last + 1)
        ]
        begin = start - first * kinds
        return np.concatenate(orders)[begin : begin + count].astype(np.int64)


def _size(given: Any) -> tuple[int, int]:
    pair = given if isinstance(given, Sequence | np.ndarray) else (given, given)
    if isinstance(pair, str) or len(pair) != 2:
        raise ConfigError(
            f"image_size is a side in pixels or (height, width); got {given!r}."
        )
    low, high = SIZES
    height, width = (_whole("image_size", side, low, high) for side in pair)
    return height, width


def _whole(name: str, given: Any, least: int = 0, most: int | None = None) -> int:
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if not whole or given < least or (most is not None and given > most):
        upper = "" if most is None else f" to {most}"
        raise ConfigError(
            f"{name} is a whole number from {least}{upper}; got {given!r}."
        )
    return int(given)


def _seed(name: str, given: Any, otherwise: int) -> int:
    return otherwise if given is None else _whole(name, given)


def _names(
    name: str,
    given: Any,
    choices: tuple[str, ...],
    may_be_empty: bool = False,
) -> tuple[str, ...]:
    if given is None:
        return choices
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise ConfigError(f"{name} is a list of names; got {given!r}.")
    for entry in given:
        if entry not in choices:
            raise ConfigError(
                f"{name}: there is no {entry!r}. {did_you_mean(entry, choices)}"
            )
    if len(set(given)) != len(given) or not (given or may_be_empty):
        raise ConfigError(f"{name} names each at most once, and some; got {given!r}.")
    return tuple(given)
