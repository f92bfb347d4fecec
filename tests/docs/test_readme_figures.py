"""The README's figures of parts are those of the committed rows, and of all of them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
pytest.importorskip("sklearn")

from benchmarks.parts.categories import TUNING  # noqa: E402
from benchmarks.parts.dictionaries import DICTIONARIES  # noqa: E402
from benchmarks.parts.methods import CONSTANT, PLACES  # noqa: E402

pytestmark = pytest.mark.one_backend

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROWS = json.loads((ROOT / "benchmarks/results/parts/rows.json").read_text())
TEACHER = "teacher channels"
BASELINES = [name for name in DICTIONARIES if name != TEACHER]
CATEGORIES = {row["category"] for row in ROWS if row["method"] == CONSTANT}
LINES = {
    "part tracking share ↑": ("part_tracking_share", 2),
    "distinct positions ↑": ("distinct_positions", 1),
    "concentration ↑": ("concentration", 2),
    "location instability ↓": ("location_instability", 3),
    "landmark error ↓": ("landmark_error", 3),
    "explained variance of the logits ↑": ("ev_logits", 2),
    "the same by the parts alone ↑": ("ev_parts", 2),
    "agreement with the teacher ↑": ("agreement", 2),
    "agreement by the parts alone ↑": ("agreement_parts", 2),
    "share of the parts `p`": ("p", 2),
}
SPREAD = (
    "part tracking share ↑",
    "distinct positions ↑",
    "explained variance of the logits ↑",
    "the same by the parts alone ↑",
)
"""Columns of the README's table of ingredients, as lines of the first one."""


def _mean(method: str, name: str, wanted: Callable[[str], bool]) -> float:
    rows = [
        row
        for row in ROWS
        if row["method"] == method and row["seed"] == 0 and wanted(row["category"])
    ]
    assert len(CATEGORIES) == 20
    assert {row["category"] for row in rows} == set(filter(wanted, CATEGORIES))
    return mean(row[name] for row in rows)


def _over_seeds(method: str, label: str) -> tuple[str, str]:
    """Mean and deviation over three seeds of the mean over the six categories."""
    name, digits = LINES[label]
    rows = [row for row in ROWS if row["method"] == method]
    table = {(row["category"], row["seed"]): row for row in rows}
    names = {row["category"] for row in ROWS if row["seed"] > 0}
    assert len(names) == 6
    each = [mean(table[c, seed][name] for c in names) for seed in range(3)]
    return f"{mean(each):.{digits}f}", f"{stdev(each):.{digits + 1}f}"


def _cells(label: str) -> list[str]:
    found = re.search(rf"^\| {re.escape(label)} \|(.*)\|$", README, re.MULTILINE)
    assert found, f"The README has no line '{label}'."
    return [cell.strip() for cell in found[1].split("|")]


def _told(pattern: str) -> list[str]:
    """What a sentence of the README says where the pattern has groups."""
    found = re.search(pattern, " ".join(README.split()))
    assert found, f"The README has no sentence '{pattern}'."
    return list(found.groups())


def _number(cell: str) -> str:
    return cell.replace("*", "").split(" ")[0].replace("−", "-")


@pytest.mark.parametrize("label", LINES)
def test_readme_says_what_was_measured(label: str) -> None:
    name, digits = LINES[label]
    every, others = _cells(label)[:2]
    assert _number(every) == f"{_mean(PLACES, name, lambda _: True):.{digits}f}"
    told = _mean(PLACES, name, lambda category: category not in TUNING)
    assert _number(others) == f"{told:.{digits}f}"


def test_readme_controls() -> None:
    def every(_: Any) -> bool:
        return True

    controls: dict[str, tuple[str, str, int]] = {
        "location instability ↓": (CONSTANT, "location_instability", 3),
        "landmark error ↓": (PLACES, "landmark_mean_predictor", 3),
        "agreement with the teacher ↑": (PLACES, "agreement_constant", 2),
    }
    for label, (method, name, digits) in controls.items():
        value = f"{_mean(method, name, every):.{digits}f}"
        assert _cells(label)[3].endswith(f": {value}")
    for label in ("part tracking share ↑", "landmark error ↓"):
        told = f"{_mean(TEACHER, LINES[label][0], every):.3f}"
        assert _number(_cells(label)[2]) == told


def test_readme_spread_of_tracking() -> None:
    found = [
        row["part_tracking_share"]
        for row in ROWS
        if row["method"] == PLACES and row["seed"] == 0
    ]
    told = _cells("part tracking share ↑")[0]
    assert told.endswith(f"({min(found):.2f} to {max(found):.2f})")


def test_readme_baselines() -> None:
    """No dictionary of the same features comes near in any of the three."""
    told = _told(
        r"random projections, k-means, PCA, NMF and a sparse autoencoder .*? track "
        r"([\d.]+) at most, have a landmark error of ([\d.]+) at least, and explain "
        r"([\d.]+) of the logits' variance at most\.",
    )

    def of(name: str) -> list[float]:
        return [_mean(method, name, lambda _: True) for method in BASELINES]

    assert told == [
        f"{max(of('part_tracking_share')):.2f}",
        f"{min(of('landmark_error')):.3f}",
        f"{max(of('ev_logits')):.2f}",
    ]


def test_readme_spread_over_seeds() -> None:
    told = _told(
        r"Over three seeds, on (\w+) of them: tracking (.*?) ± (.*?), distinct "
        r"positions (.*?) ± (.*?), landmark error (.*?) ± (.*?), explained variance of "
        r"the logits (.*?) ± (.*?), by the parts alone (.*?) ± (.*?) \(",
    )
    names = {
        row["category"] for row in ROWS if row["method"] == PLACES and row["seed"] > 0
    }
    assert told.pop(0) == {6: "six"}[len(names)]
    expected = []
    for label in (*SPREAD[:2], "landmark error ↓", *SPREAD[2:]):
        expected += _over_seeds(PLACES, label)
    assert told == expected


INGREDIENTS = {
    "nothing: all of it": PLACES,
    "learning: the start alone": "places: start alone",
    "learning, and candidates that correct each other": (
        "places: start alone, no consensus"
    ),
    "white coordinates: plain Adam, at its own rate": "places: plain Adam, rate 1e-4",
    "the loss of the parts alone": "places: no loss of the parts alone",
    "the wide, flat mask: the paper's": "places: mask of the paper",
    "48 filters in a group: 8": "places: 16 groups of 8",
}
"""Lines of the README's table of what each ingredient gives, and methods."""


@pytest.mark.parametrize("label", INGREDIENTS)
def test_readme_ingredients(label: str) -> None:
    expected = [" ± ".join(_over_seeds(INGREDIENTS[label], name)) for name in SPREAD]
    told = [cell.replace("*", "").replace("−", "-") for cell in _cells(label)]
    assert told == expected


def test_the_explainer_of_all_categories() -> None:
    (row,) = json.loads(
        (ROOT / "benchmarks/results/multi_category/rows.json").read_text()
    )
    each = row["categories"].values()
    assert set(row["categories"]) == CATEGORIES

    def of(name: str) -> float:
        return mean(figures[name] for figures in each)

    told = _told(
        r"One explainer of all twenty categories \((.*?) images;.*?tracking (.*?), "
        r"distinct positions (.*?), landmark error (.*?) \(teacher (.*?)\), agreement "
        r"among the teacher's 1,000 classes (.*?), by the parts alone (.*?) \(constant "
        r"answer: (.*?)\), explained variance of the logits (.*?) and (.*?)\.\s",
    )
    assert told == [
        f"{row['train_images']:,}",
        f"{of('part_tracking_share'):.2f}",
        f"{of('distinct_positions'):.1f}",
        f"{of('landmark_error'):.3f}",
        f"{of('teacher_landmark_error'):.3f}",
        *(f"{row[name]:.2f}" for name in ("agreement", "agreement_parts")),
        f"{row['agreement_constant']:.2f}",
        *(f"{row[name]:.2f}" for name in ("ev_logits", "ev_parts")),
    ]
