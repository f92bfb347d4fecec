"""Exported explainers, and a server of them: the tests' own, or a real one.

With TF_SERVING_ADDRESS, such as `127.0.0.1:8500,http://127.0.0.1:8501`, the tests that
take `client` ask that server too, which serves what `served_models.py` wrote.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

if importlib.util.find_spec("tensorflow_serving") is None:
    collect_ignore_glob = ["test_*.py"]  # of the extra `serving`

import served_models  # noqa: E402
from real_servers import REAL  # noqa: E402
from small_teacher import make_images  # noqa: E402

from keras_explainer.explainer import Explainer  # noqa: E402
from keras_explainer.serving import Client  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is here needs TensorFlow: exports, and the session."""
    for item in items:
        if HERE in Path(str(item.path)).parents:
            item.add_marker(pytest.mark.tensorflow)


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return make_images(5)


@pytest.fixture(scope="session")
def explainer() -> Explainer:
    return served_models.small()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all of them, see `served_models`."""
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        return _written(tmp_path_factory.mktemp("models"))
    # One test process writes them for all.
    folder = tmp_path_factory.getbasetemp().parent / "served-models"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + 300
        while not (folder / "half" / "2" / "saved_model.pb").exists():
            if time.monotonic() > end:
                pytest.fail("another test process has not written the models")
            time.sleep(0.1)
        return folder
    return _written(folder)


def _written(folder: Path) -> Path:
    served_models.write_models(folder)
    served_models.write_half(folder)
    return folder


@pytest.fixture(scope="session")
def store(models: Path) -> Any:
    """The models by the configuration that the command writes."""
    from model_store import ModelStore

    path = models / "serving" / "config" / "models.config"
    names = ("small", "plain", "tap", "half")
    places = {f"/models/{name}": models / name for name in names}
    return ModelStore(path.read_text(), places)


@pytest.fixture(scope="session")
def shared_server(store: Any) -> Iterator[Any]:
    from conformance_server import ConformanceServer

    with ConformanceServer(store) as server:
        yield server


@pytest.fixture
def server(shared_server: Any) -> Iterator[Any]:
    """The tests' own server, without faults."""
    shared_server.asked.clear()
    yield shared_server
    shared_server.faults.clear()
    shared_server.pause = 0.0


KINDS = ["grpc", "rest-row", "rest-column"]


@pytest.fixture(params=[*KINDS, *(f"real {address}" for address in REAL)])
def client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    """Makes a client of the kind, of the tests' server or the real one."""
    made: list[Client] = []
    kind = str(request.param)

    def make(model: str = "small", **settings: Any) -> Client:
        if kind.startswith("real "):
            address = kind.removeprefix("real ")
        else:
            server = request.getfixturevalue("server")
            address = server.grpc if kind == "grpc" else server.rest
            if kind == "rest-column":
                settings.setdefault("rest_form", "column")
        made.append(Client(address, model, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=["grpc", "rest"])
def local(
    request: pytest.FixtureRequest, server: Any
) -> Iterator[Callable[..., Client]]:
    """Makes a client of the tests' own server."""
    made: list[Client] = []

    def make(model: str = "small", **settings: Any) -> Client:
        made.append(Client(getattr(server, request.param), model, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
