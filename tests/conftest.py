"""What all tests share: paths, quiet logs, seeds, markers."""

from __future__ import annotations

import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROOT = Path(__file__).resolve().parents[1]
if importlib.util.find_spec("keras_explainer") is None:
    sys.path.insert(0, str(ROOT))
# `test_case`, `reference`, `archetypes` and `small_teacher`, for all folders.
TESTS = ROOT / "tests"
for folder in (TESTS, TESTS / "teachers", TESTS / "explainer"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import pytest  # noqa: E402

# Keras is imported where it is used: the process that only shares the tests out needs
# none. A quarter of the import would go into looking for garbage, of which it has none.
gc.disable()

if importlib.util.find_spec("hypothesis") is not None:
    import hypothesis

    # The same examples in each run; nothing is written beside the tests.
    hypothesis.settings.register_profile(
        "repeatable", derandomize=True, deadline=None, database=None
    )
    hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "one_backend: what it tests does not depend on the backend, or too little for "
        "its price; run on TensorFlow alone",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """For `--dist loadfile`; any other way of sharing tests out is xdist's."""
    if config.getvalue("dist") != "loadfile":
        return None
    from scheduling import UnitScheduling

    return UnitScheduling(config, log)


def pytest_collection_finish() -> None:
    gc.freeze()  # what has been imported stays
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import keras

    if "PYTEST_XDIST_WORKER" in os.environ:
        from scheduling import in_order

        items[:] = in_order(items)

    backend = keras.backend.backend()
    if backend == "tensorflow":
        return
    reasons = {
        "tensorflow": f"needs the TensorFlow backend, this is {backend}",
        "one_backend": "does not depend on the backend; run on TensorFlow",
    }
    for item in items:
        for marker, reason in reasons.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def _quick_compilation() -> Iterator[None]:
    """Of the session, so that its own fixtures are compiled so too."""
    from compilation import few_optimizations, numpy_initializers

    with few_optimizations(), numpy_initializers():
        yield


@pytest.fixture
def seeded() -> int:
    """Seeds Python, NumPy and the backend; the seed."""
    import keras

    keras.utils.set_random_seed(0)
    return 0


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of the photographs; skips where there is none."""
    folder = Path(os.environ.get("KERAS_EXPLAINER_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("there are no photographs: KERAS_EXPLAINER_SHARED names no folder")
    return folder


@pytest.fixture(scope="session")
def small_teacher() -> Any:
    """A teacher of 24 × 32 images, cut at a 6 × 8 map; do not change it."""
    from small_teacher import make_teacher

    return make_teacher()
