"""A small explainer of drawn images, and reports of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "runs"))

sys.path.append(str(Path(__file__).parent))

import drawn_data
from nasty import NASTY

from keras_explainer.datasets import ImageFolder
from keras_explainer.explainer import Explainer
from keras_explainer.teachers import Teacher


def explainer_of(folder: Path, filters: int = 8) -> Explainer:
    """Measured, not learned: its filters are the random ones that it starts with."""
    path = drawn_data.write_teacher(folder / "small.keras")
    teacher = Teacher.from_file(
        path, tap="tap", targets=["high"], labels=[NASTY, "dog", "bird"]
    )
    keras.utils.set_random_seed(1)
    explainer = Explainer(teacher, filters=filters, recipe="single")
    explainer.compile(optimizer="adam", run_eagerly=True)
    return explainer


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_data.write_images(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def images(folder: Path) -> Any:
    """40 test images, one of which has a name that looks like HTML."""
    (folder / "images" / "020.png").rename(folder / "images" / "<b>020&.png")
    table = folder / "parts.csv"
    text = table.read_text().replace("images/020.png", "images/<b>020&.png")
    table.write_text(text)
    height, width, channels = drawn_data.INPUT
    return ImageFolder(folder, image_size=(height, width), channels=channels).test


@pytest.fixture(scope="session")
def explainer(tmp_path_factory: pytest.TempPathFactory, images: Any) -> Explainer:
    made = explainer_of(tmp_path_factory.mktemp("teacher"))
    made.fit(images.load()[:16], epochs=1, batch_size=8, verbose=0)
    return made


@pytest.fixture(scope="session")
def history() -> list[dict[str, Any]]:
    return [
        {"epoch": 1, "loss": 2.0, "val_loss": 2.5, "p": 0.5, "lost": None},
        {"epoch": 2, "loss": 1.0, "val_loss": 2.0, "p": None, "lost": None},
        {"epoch": 3, "loss": 0.5, "val_loss": 1.0, "p": 0.4, "lost": None},
    ]


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
