"""`CreatureImages`: drawn images, and all that is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .composition import DISTRACTOR


@dataclass(frozen=True, eq=False)
class CreatureImages:
    """n images of creatures with their truth, to the pixel.

    Of a part only what can be seen counts: pixels that are neither behind something
    nor outside the picture. A part is *present* when more than half of the pixels that
    it had before things were put in front of it (its creature's own other parts do
    count as it) can be seen, and these are at least 1 in 800 of the image. Else it is
    absent: no centre, no box, an empty mask.

    If there are companions (further creatures of the same species), labels, centres,
    boxes and masks are those of the main creature, which is in front of them.

    Attributes:
        images: uint8 (n, H, W, 3).
        labels: int64 (n,), index into `species_names`.
        species_names: S names.
        part_names: P names.
        centres: float64 (n, P, 2), (y, x), the middle of the box in pixels; NaN where
            absent.
        boxes: float64 (n, P, 4), (top, left, bottom, right): edges of the smallest
            box around the part's pixels; NaN where absent.
        visible: float64 (n, P): share of the part's pixels that can be seen; NaN where
            it is not drawn.
        label_map: uint8 (n, H, W): 0 background; 1 to P the parts; P + 1 to 2 P parts
            of companions; 2 P + 1 to 3 P distractors by the part whose skin they have.
    """

    images: np.ndarray
    labels: np.ndarray
    species_names: tuple[str, ...]
    part_names: tuple[str, ...]
    centres: np.ndarray
    boxes: np.ndarray
    visible: np.ndarray
    label_map: np.ndarray

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"CreatureImages{self.images.shape}"

    @property
    def present(self) -> np.ndarray:
        """bool (n, P): whether each part is present."""
        return ~np.isnan(self.centres[..., 0])

    @property
    def masks(self) -> np.ndarray:
        """bool (n, P, H, W): visible pixels of each part that is present."""
        return self._layers(1)

    @property
    def companion_masks(self) -> np.ndarray:
        """bool (n, P, H, W): visible pixels of the companions' parts, all of them."""
        return self._layers(1 + len(self.part_names))

    @property
    def distractor_masks(self) -> np.ndarray:
        """bool (n, P, H, W): visible pixels of distractors with the skin of a part.

        A distractor has the colours and the pattern of that part of the main creature,
        whether it has this part or not, and the shape of none.
        """
        return self._layers(DISTRACTOR)

    @property
    def label_names(self) -> list[str]:
        """The species of each image, n names."""
        return [self.species_names[label] for label in self.labels]

    def _layers(self, first: int) -> np.ndarray:
        numbers = np.arange(first, first + len(self.part_names), dtype=np.uint8)
        return self.label_map[:, None] == numbers[:, None, None]
