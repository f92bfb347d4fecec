"""What a run found when it began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunFacts:
    """Facts of teacher and images, by which a resumed run knows that they are the same.

    Attributes:
        teacher: the teacher's name.
        fingerprint: of the teacher's weights, tap, targets and preprocessing.
        image_size: (height, width) in pixels that images are resized to.
        content_hash: of the train images.
        train_images: how many are learned from.
        validation_images: how many of the train images are only measured.
        bad: files that were left out, `{"path": ..., "reason": ...}`.
    """

    teacher: str
    fingerprint: str
    image_size: tuple[int, int]
    content_hash: str
    train_images: int
    validation_images: int = 0
    bad: tuple[dict[str, Any], ...] = ()
