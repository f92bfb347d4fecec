"""A small explainer with strong, weak, absent and silent filters, and its export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_teacher import make_images, make_teacher

from keras_explainer.explainer import Explainer
from keras_explainer.export import saved_model

LABELS = ["cat", "dog", "cow", "owl", "eel"]
NAMES = {0: "ear", 3: "nose — right"}
SILENT, ABSENT = 2, 4


def explainer_of(teacher: Any, **settings: Any) -> Explainer:
    """Six filters of different scales."""
    explainer = Explainer(
        teacher, filters=6, decoder="conv", **{"recipe": "single", **settings}
    )
    conv = explainer.encoder.conv_2.conv
    kernel, _ = conv.get_weights()
    bias = np.full(6, 0.02)
    bias[SILENT] = -1e6
    conv.set_weights([kernel * np.logspace(0, 1, 6), bias])
    explainer.statistics.started.assign(1.0)
    levels = np.zeros(6)
    levels[ABSENT] = 1e6
    explainer.presence.set_levels(levels)
    return explainer


@pytest.fixture(autouse=True)
def _not_verified(request: pytest.FixtureRequest, monkeypatch: Any) -> None:
    """Exports of single tests are not verified: it takes a process of seconds each."""
    if "verified" not in request.fixturenames:
        module = sys.modules["keras_explainer.export.saved_model"]
        monkeypatch.setattr(module, "verify", lambda *arguments: {})


@pytest.fixture
def verified() -> None:
    """Asks for exports as users have them."""


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return make_images(3)


@pytest.fixture(scope="session")
def explainer() -> Explainer:
    made = explainer_of(make_teacher(labels=LABELS))
    made.measure_tracks(make_images(16))
    return made


@pytest.fixture(scope="session")
def plain_explainer() -> Explainer:
    """Without measured tracks: fewer endpoints, so that an export takes less."""
    return explainer_of(make_teacher())


@pytest.fixture(scope="session")
def exported(explainer: Explainer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("models") / "small"
    return saved_model(explainer, model, part_count=4, part_names=NAMES)


@pytest.fixture(scope="session")
def loaded(exported: Path) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(str(exported))


@pytest.fixture
def make_explainer() -> Callable[..., Explainer]:
    def make(teacher: Any = None, **settings: Any) -> Explainer:
        return explainer_of(teacher or make_teacher(), **settings)

    return make
