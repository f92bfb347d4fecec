"""Which tests run in one process, and which come first, where there are several.

xdist hands out files, those with the most tests first (`--dist loadfile`). Two things
cost time then: what a folder's tests share and what takes long to make is made in each
process, and a file with few tests that take long is begun at the end, when the other
processes have nothing left to do.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

FOLDERS = (
    "tests/batch_inference/",
    "tests/cli/",
    "tests/explanation/",
    "tests/export/",
    "tests/packaging/",
    "tests/runs/",
    "tests/serving/",
)
"""Their tests share a fixture of the session that takes seconds."""

FITTED = "tests/explainer/ with the fitted explainer"
USERS_OF_FITTED = tuple(
    f"tests/explainer/test_{name}.py"
    for name in (
        "explainer_fit",
        "explainer_outputs",
        "explainer_refusals",
        "explainer_saving",
        "odd_teachers",
    )
)

LONGEST = (
    "tests/explanation/",
    "tests/runs/",
    "tests/zoo/test_zoo_verification.py",
    FITTED,
    "tests/export/",
    "tests/explainer/test_explainer_learning.py",
    "tests/demo/test_demo.py",
    "tests/explainer/test_places.py",
    "tests/examples/test_examples.py",
    "tests/zoo/test_fit_teacher.py",
    "tests/explainer/test_explainer_decoders.py",
    "tests/packaging/",
    "tests/serving/",
    "tests/batch_inference/",
    "tests/zoo/test_zoo.py",
    "tests/zoo/test_networks.py",
    "tests/cli/",
    "tests/datasets/creatures/test_creatures_teacher.py",
)
"""Begun first, in this order; all others by their number of tests."""


def unit_of(nodeid: str) -> str:
    """What a test is handed out with: its folder, its file, or files of a fixture."""
    file = nodeid.partition("::")[0]
    if file in USERS_OF_FITTED:
        return FITTED
    return next((folder for folder in FOLDERS if file.startswith(folder)), file)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which their units are handed out."""
    counts = Counter(unit_of(item.nodeid) for item in items)
    rank = {unit: place for place, unit in enumerate(LONGEST)}

    def place(item: pytest.Item) -> tuple[int, int, str]:
        unit = unit_of(item.nodeid)
        return rank.get(unit, len(rank)), -counts[unit], unit

    return sorted(items, key=place)


class UnitScheduling(LoadFileScheduling):
    """Hands out units instead of files, in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
