"""A small teacher, an explainer of known filters, and results made by hand."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from keras_explainer.explainer import Explainer
from keras_explainer.explainer.warm_start import start_norms
from keras_explainer.explanation import part_box
from keras_explainer.results import ClassScore, Explanation, PartFinding
from keras_explainer.teachers import Teacher

LABELS = ["cat", "dog", "cow", "owl", "<b>eel</b>"]
SILENT = 2


def small_teacher() -> Teacher:
    """Images of 32 x 40, a map of 8 x 10."""
    x = image = keras.Input((32, 40, 3))
    # Weights are set below; Keras' random ones take JAX seconds to compile.
    zeros = {"kernel_initializer": "zeros"}
    for filters, name in ((6, "low"), (10, "tap"), (12, "top")):
        x = keras.layers.Conv2D(
            filters, 3, 2, padding="same", activation="relu", name=name, **zeros
        )(x)
    x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
    x = keras.layers.Dense(5, activation="softmax", name="predictions", **zeros)(x)
    model = keras.Model(image, x, name="small")
    random = np.random.default_rng(0)
    for weight in model.weights:
        scale = np.sqrt(2 / max(1, np.prod(weight.shape[:-1])))
        value = random.normal(size=weight.shape) * scale
        weight.assign(value if len(weight.shape) > 1 else 0.1 * value)
    return Teacher(
        model, tap="tap", targets=["top"], preprocessing="unit", labels=LABELS
    )


def small_explainer(teacher: Teacher, **settings: Any) -> Explainer:
    """Six filters of different scales, of which `SILENT` never fires."""
    explainer = Explainer(
        teacher, filters=6, decoder="conv", **{"recipe": "single", **settings}
    )
    conv = explainer.encoder.conv_2.conv
    kernel, bias = conv.get_weights()
    bias = np.full(bias.shape, 0.02)
    bias[SILENT] = -1e6
    conv.set_weights([kernel * np.logspace(-1, 1, 6), bias * np.logspace(-1, 1, 6)])
    explainer.statistics.started.assign(1.0)
    return explainer


@pytest.fixture(scope="session")
def teacher() -> Teacher:
    return small_teacher()


@pytest.fixture(scope="session")
def explainer(teacher: Teacher) -> Explainer:
    return small_explainer(teacher)


@pytest.fixture(scope="session")
def measured(teacher: Teacher, images: np.ndarray) -> Explainer:
    """One whose baseline is known; do not change it."""
    explainer = small_explainer(teacher)
    start_norms(explainer.encoder, teacher.extract(images)[0])
    explainer.measure_tracks(explainer.features(images))
    return explainer


@pytest.fixture
def make_explainer(teacher: Teacher) -> Any:
    def make(**settings: Any) -> Explainer:
        return small_explainer(teacher, **settings)

    return make


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (7, 4, 5, 3))
    return coarse.repeat(8, axis=1).repeat(8, axis=2).astype("uint8")


@pytest.fixture
def make_explanation() -> Any:
    """An explanation whose filters 0, 1, … have their peaks at given cells."""

    def make(
        *cells: Any,
        image_size: tuple[int, int] = (32, 40),
        map_size: tuple[int, int] = (8, 10),
        beta: float = 4.0,
        **changes: Any,
    ) -> Explanation:
        parts = []
        for filter, peaks in enumerate(cells):
            peaks = [peaks] if peaks and isinstance(peaks[0], int) else peaks or []
            cell = peaks[0] if peaks else None
            parts.append(
                PartFinding(
                    filter=filter,
                    present=bool(peaks),
                    strength=float(len(cells) - filter) if peaks else 0.0,
                    relative_strength=float(len(cells) - filter) if peaks else 0.0,
                    cell=cell,
                    position=None
                    if cell is None
                    else (
                        (cell[0] + 0.5) * image_size[0] / map_size[0],
                        (cell[1] + 0.5) * image_size[1] / map_size[1],
                    ),
                    box=part_box(peaks, image_size, map_size, beta),
                    other_cells=tuple(peaks[1:]),
                )
            )
        score = ClassScore(class_index=0, label="cat", score=0.5)
        fields: dict[str, Any] = {
            "index": 0,
            "image": "a.jpg",
            "image_size": image_size,
            "answer": score,
            "reconstruction": score,
            "reconstruction_answer": score,
            "share": 0.5,
            "filters": max(1, len(cells)),
            "map_size": map_size,
            "beta": beta,
            "parts": tuple(sorted(parts, key=lambda part: not part.present)),
        }
        return Explanation(**{**fields, **changes})

    return make
