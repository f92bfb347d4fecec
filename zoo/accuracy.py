"""Accuracy of a classifier on images that it has not learned from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_explainer.teachers.preprocessing import Preprocessing

from .labelled_images import LabelledImages, prepared


def measure(
    model: keras.Model,
    images: LabelledImages,
    names: tuple[str, ...],
    preprocessing: Preprocessing,
    batch_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Accuracy on images that were not learned from, with its control.

    Returns:
        `accuracy`, `balanced_accuracy` (mean over classes), `constant_accuracy` (of
        always giving the most frequent class), `by_class`, `test_images`.
    """
    found = answers(model, images, preprocessing, batch_size, progress)
    labels = images.labels
    by_class = {
        name: round(float((found[labels == i] == i).mean()), 4)
        for i, name in enumerate(names)
    }
    return {
        "accuracy": round(float((found == labels).mean()), 4),
        "balanced_accuracy": round(float(np.mean(list(by_class.values()))), 4),
        "constant_accuracy": round(float(np.bincount(labels).max() / len(labels)), 4),
        "by_class": by_class,
        "test_images": len(labels),
    }


def answers(
    model: keras.Model,
    images: LabelledImages,
    preprocessing: Preprocessing,
    batch_size: int,
    progress: Any = None,
) -> np.ndarray:
    """The model's answer (class number) for each image."""
    found: list[Sequence[int]] = []
    for start in range(0, len(images), batch_size):
        rows = np.arange(start, min(start + batch_size, len(images)))
        if progress is not None:
            progress(start, len(images))
        batch = prepared(preprocessing, images.images(rows))
        found.append(np.asarray(model.predict_on_batch(batch)).argmax(-1).tolist())
    return np.concatenate([np.asarray(part) for part in found])
