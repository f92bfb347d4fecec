"""The explanations benchmark: what is blurred, and its table."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from benchmarks.explanations.deletion import _counted, blurred  # noqa: E402
from benchmarks.explanations.report import (  # noqa: E402
    COLUMNS,
    page_tables,
    table,
)
from benchmarks.pages import fill  # noqa: E402
from keras_explainer.results import Explanation, PartFinding  # noqa: E402

pytestmark = pytest.mark.one_backend


def test_the_same_area_is_blurred_whatever_the_mask():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (28, 36, 3)).astype("uint8")
    for area in (0, 50, 28 * 36):
        for mask in (random.normal(size=(28, 36)), np.ones((28, 36))):
            changed = (blurred(image, mask, area) != image).any(-1)
            assert 0.9 * area <= changed.sum() <= area
            if area == 50 and mask.std():
                assert set(mask[changed]) <= set(np.sort(mask.ravel())[-50:])


def test_groups_add_up_and_stand_where_they_count_most():
    def part(filter_, contribution, present=True):
        return PartFinding(
            filter=filter_,
            present=present,
            strength=1.0,
            relative_strength=1.0,
            cell=(filter_, 0),
            position=None,
            box=None,
            contribution=contribution,
        )

    item = Explanation(
        index=0,
        image=None,
        image_size=(8, 8),
        answer=None,
        reconstruction=None,
        reconstruction_answer=None,
        share=0.5,
        filters=4,
        map_size=(4, 4),
        beta=4.0,
        parts=(part(0, 1.0), part(1, 2.0), part(2, 5.0, False), part(3, -1.0, False)),
    )
    found = _counted(item, [[0, 1, 2], [3]])
    assert [(total, one.filter) for total, one in found] == [(8.0, 1)]


def test_committed_rows_make_the_table():
    path = ROOT / "benchmarks" / "results" / "explanations" / "rows.json"
    rows = json.loads(path.read_text())
    made = table(rows)
    assert made.row_count == len(rows) > 0
    assert len(made.columns) == len(COLUMNS)


def test_the_page_shows_the_rows_that_are_kept(tmp_path) -> None:
    """`benchmarks.explanations --page` was run after the rows were measured."""
    rows = json.loads((ROOT / "benchmarks/results/explanations/rows.json").read_text())
    page = tmp_path / "page.md"
    kept = (ROOT / "docs" / "explanations.md").read_text()
    page.write_text(kept)
    fill(page, page_tables(rows))
    assert page.read_text() == kept
    assert "MobileNet, dog" in page_tables(rows)["areas"]
