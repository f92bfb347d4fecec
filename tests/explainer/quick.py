"""Explainers that learn in a second."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_explainer.explainer import Explainer

BACKEND = keras.backend.backend()
# JAX compiles one operation at a time if told to run eagerly, which takes far longer.
EAGER: dict[str, Any] = {} if BACKEND == "jax" else {"run_eagerly": True}
WORTH_COMPILING = 18
"""Steps of which a compiled one, with what compiling takes, is as quick."""


def made(
    teacher: Any, optimizer: Any = "adam", *, steps: int = 1, **settings: Any
) -> Explainer:
    """A compiled explainer with 6 filters, of two views an image.

    Eager, unless it is to make more `steps` than are worth compiling.
    """
    settings.setdefault("filters", 6)
    if "recipe" not in settings:
        settings.setdefault("views", 2)
    explainer = Explainer(teacher, **{"recipe": "single", **settings})
    explainer.compile(optimizer, **(EAGER if steps < WORTH_COMPILING else {}))
    return explainer


def learned(teacher: Any, x: Any, *, fit: Any = None, **settings: Any) -> Explainer:
    """An explainer after two steps; its history is at `explainer.history`."""
    explainer = made(teacher, **settings)
    explainer.fit(x, **{"epochs": 1, "batch_size": 12, "verbose": 0, **(fit or {})})
    return explainer


def weights_of(explainer: Explainer) -> list[np.ndarray]:
    return [np.asarray(values) for values in explainer.get_weights()]


def assert_bit_equal(found: Any, expected: Any) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)


class Batches(keras.utils.PyDataset):
    """Image batches, alone or with labels that are not looked at."""

    def __init__(self, images: np.ndarray, size: int, labels: bool = False) -> None:
        super().__init__()
        self.images, self.size, self.labels = images, size, labels

    def __len__(self) -> int:
        return -(-len(self.images) // self.size)

    def __getitem__(self, index: int) -> Any:
        batch = self.images[index * self.size : (index + 1) * self.size]
        return (batch, np.zeros(len(batch))) if self.labels else batch
