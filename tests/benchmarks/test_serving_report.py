"""The serving benchmark: its tables, and the page that has them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from benchmarks.pages import fill  # noqa: E402
from benchmarks.rows import read_rows  # noqa: E402
from benchmarks.serving.__main__ import PAGE, RESULTS  # noqa: E402
from benchmarks.serving.report import COST, LOADERS, page_tables  # noqa: E402

pytestmark = pytest.mark.one_backend


def test_the_page_has_the_tables_of_the_rows(tmp_path):
    copy = tmp_path / "serving.md"
    copy.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    rows = [read_rows(RESULTS / name) for name in ("cost.json", "loaders.json")]
    fill(copy, page_tables(*rows))
    assert copy.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8"), (
        "run `python -m benchmarks.serving --page`"
    )


def endpoint(ratio):
    return {"ratio": ratio, "p50_ms": 9.6, "p99_ms": 20.4, "images_per_second": 30.0}


def test_lines():
    batch = {"classification": endpoint(1.0), "explain": endpoint(1.5)}
    row = {
        "network": "nested",
        "gflops": {"classification": 0.5, "explain": 1.0},
        "batches": {
            "1": {**batch, "explain_contributions": endpoint(4.0)},
            "32": batch,
        },
        "mib": 3.04,
        "memory_mib": {"all_endpoints_peak": 1234},
        "export_seconds": 20.6,
    }
    loader = {"max_difference": 1e-6, "of": "a", "accepted": 1e-5, "ties": None}
    other = {"max_difference": 2e-6, "of": "b", "accepted": 1e-5, "ties": 0.25}
    loaders = {
        "network": "nested",
        "images": 4,
        "keras_between_batches": 3e-6,
        "loaders": {
            "x, 1": {**loader, "wrong": None},
            "y, 1": {**other, "wrong": "ranks differ"},
        },
    }
    made = page_tables([row], [loaders])
    head, _, line = made["cost"].splitlines()
    assert head.count("|") == line.count("|") == len(COST) + 1
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:6] == ["nested", "0.50, 1.00", "1.50", "1.50", "4.00", "–"]
    assert cells[6:] == ["10, 20", "30.0", "3.0, 1,234", "21"]
    head, _, line = made["loaders"].splitlines()
    assert head.count("|") == line.count("|") == len(LOADERS) + 1
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:6] == ["nested", "4", "2.0e-06", "b", "1.0e-05", "3.0e-06"]
    assert cells[6:] == ["ranks differ", "25.0%"]
