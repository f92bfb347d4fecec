"""Datasets of small images, an exported explainer, and workers that are not it."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).resolve().parents[1]
HERE = TESTS / "batch_inference"
for folder in (HERE, TESTS / "serving"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

if importlib.util.find_spec("pyarrow") is None:
    collect_ignore_glob = ["test_*.py"]  # of the extra `dataset`

from small_teacher import make_images  # noqa: E402

COUNT = 10
BAD = "The image cannot be decoded: it is no JPEG, PNG or BMP, or is damaged."


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Nothing here computes with Keras' backend; exports need TensorFlow's."""
    for item in items:
        if HERE in Path(str(item.path)).parents:
            item.add_marker(pytest.mark.one_backend)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    return make_images(COUNT)


@pytest.fixture(scope="session")
def encoded(pixels: np.ndarray) -> list[bytes]:
    return [png(image) for image in pixels]


@pytest.fixture
def photos(tmp_path: Path, encoded: list[bytes]) -> Path:
    """Ten images in two folders, one that is none, one that is empty."""
    folder = tmp_path / "photos"
    for number, data in enumerate(encoded):
        path = folder / ("b" if number % 2 else "a") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "a" / "none.jpg").write_bytes(b"no image")
    (folder / "c.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image, and no file of one")
    return folder


@pytest.fixture(scope="session")
def explainer() -> Any:
    import served_models

    return served_models.small()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, explainer: Any) -> Path:
    """Folder of a version."""
    import served_models

    folder = tmp_path_factory.mktemp("models") / "small" / "1"
    served_models._write(explainer, folder, served_models.PARTS, served_models.NAMES)
    return folder


@pytest.fixture
def light(tmp_path: Path) -> Path:
    """A folder that looks like a version, for workers that only pretend."""
    folder = tmp_path / "light" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"light")
    return folder


@pytest.fixture
def odd_workers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes the local engine start `odd_worker` with a fault."""

    def make(fault: str) -> None:
        monkeypatch.setattr(
            "keras_explainer.batch_inference.local_engine._WORKER", "odd_worker"
        )
        monkeypatch.setenv("ODD_WORKER", fault)

    return make


@pytest.fixture
def command() -> Callable[..., Any]:
    """Runs a command in this process."""
    from typer.testing import CliRunner

    from keras_explainer.cli.main import app

    return lambda *arguments: CliRunner().invoke(app, [str(one) for one in arguments])
