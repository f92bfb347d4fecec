"""The reliability page's figures are those of the committed results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_backend

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def result(name: str) -> Any:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


def cells(label: str) -> list[str]:
    """Of the page's line that begins with a label."""
    (line,) = re.findall(rf"^\| {re.escape(label)} \|(.*)\|$", PAGE, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def test_hostile_files() -> None:
    campaign = result("fuzz/table.json")
    assert campaign["cases"] >= 100_000
    for name, found in campaign["targets"].items():
        refused = sum(found["refused"].values())
        counts = (found["cases"], found["read"], refused, len(found["faults"]))
        said = [*(f"{count:,}" for count in counts)]
        said += [
            f"{found['slowest_case_seconds']:.2f}",
            f"{found['peak_case_mib']:.0f}",
        ]
        # The page's first table of a reader; a later one has what was mended.
        lines = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, re.MULTILINE)
        assert [cell.strip() for cell in lines[0].split("|")] == [
            *said,
            f"{found['bound_mib']:,}",
        ]


@pytest.mark.parametrize("recipe", ["single", "places"])
def test_kills(recipe: str) -> None:
    found = result(f"killed/{recipe}.json")
    assert found["kills"] == sum(found["killed_in"].values()) == 20
    assert cells(recipe) == [
        "20",
        str(found["killed_in"]["start"]),
        str(found["epochs"]),
        str(found["arrays"]),
        str(found["arrays_that_differ"]),
        str(len(found["not_whole"])),
        str(found["temporary_files_left"]),
    ]


@pytest.mark.parametrize("recipe", ["single", "places"])
def test_long_runs(recipe: str) -> None:
    found = result(f"long_run/{recipe}.json")
    assert found["epochs"] == 200
    said = [f"{found[f'memory_mib_{quarter}']:.1f}" for quarter in QUARTERS]
    said += [f"{found[f'processor_{quarter}']:.2f}" for quarter in QUARTERS]
    said += [f"{found[f'seconds_{quarter}']:.2f}" for quarter in QUARTERS]
    said += [f"{found[f'objects_{quarter}']:,.0f}" for quarter in QUARTERS]
    assert cells(f"`{recipe}`") == said


QUARTERS = ("first_quarter", "last_quarter")


def test_load() -> None:
    found = result("serving_load/load.json")
    assert f"{found['requests']:,}\nrequests, no wrong answer" in PAGE
