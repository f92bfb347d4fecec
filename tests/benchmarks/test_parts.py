"""The parts benchmark: its dictionaries, readers and reports, on made-up features."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
pytest.importorskip("sklearn")

from benchmarks.parts.dictionaries import DICTIONARIES, train_cells  # noqa: E402
from benchmarks.parts.measure import masked, ridge  # noqa: E402
from benchmarks.parts.methods import PLACES  # noqa: E402
from benchmarks.parts.report import by_category, means, over_seeds, write_reports  # noqa: E402

pytestmark = pytest.mark.one_backend


@pytest.fixture(scope="module")
def features():
    """Sparse features of a low rank: (40, 5, 7, 12), at least 0."""
    random = np.random.default_rng(0)
    codes = np.maximum(random.normal(size=(40, 5, 7, 6)) - 0.5, 0)
    return (codes @ np.abs(random.normal(size=(6, 12)))).astype("float32")


@pytest.mark.parametrize("name", DICTIONARIES)
def test_dictionaries(name, features):
    found = DICTIONARIES[name](train_cells(features, 0), 8, 0)
    maps = found.maps(features)
    filters = 12 if name == "teacher channels" else 8
    assert maps.shape == (40, 5, 7, filters)
    assert maps.min() >= 0 and np.isfinite(maps).all() and maps.max() > 0
    inverse = found.inverse or ridge(maps, features)
    rebuilt = inverse(maps)
    assert rebuilt.shape == features.shape
    left = np.square(features - rebuilt).sum()
    assert left < np.square(features - features.mean((0, 1, 2))).sum()


def test_pca_of_a_low_rank_loses_nothing(features):
    found = DICTIONARIES["PCA"](train_cells(features, 0), 12, 0)
    rebuilt = found.inverse(found.maps(features))
    np.testing.assert_allclose(rebuilt, features, atol=1e-3)


def test_maps_are_cut_to_the_paper_s_mask():
    maps = np.ones((1, 5, 7, 2))
    maps[0, 1, 2, 0], maps[0, 4, 6, 1] = 2, 3
    cut = masked(maps)
    for filter_, (row, column) in enumerate(((1, 2), (4, 6))):
        for i, j in np.ndindex(5, 7):
            distance = abs(i - row) + abs(j - column)
            expected = maps[0, i, j, filter_] * max(1 - 4 * distance / 7, 0)
            assert cut[0, i, j, filter_] == pytest.approx(expected)


def test_ridge_finds_a_linear_map():
    random = np.random.default_rng(1)
    x = random.normal(size=(50, 3, 4, 6))
    y = x @ random.normal(size=(6, 2)) + 3
    np.testing.assert_allclose(ridge(x, y, share=1e-9)(x), y, atol=1e-4)


def test_reports(tmp_path):
    figures = {
        "part_tracking_share": 0.5,
        "tracking_by_part": [0.5, 0.0],
        "distinct_positions": 3.0,
        "concentration": 0.9,
        "location_instability": 0.1,
        "landmark_error": 0.1,
        "ev_logits": 0.5,
        "ev_parts": -4.0,
        "dead_filters": 2,
        "filters": 8,
        "p": None,
        "seconds": 10.0,
        "parameters": 5000,
    }
    rows = [
        {"category": name, "method": method, "seed": 0, **figures, "ev_logits": value}
        for method in ("PCA", PLACES)
        for name, value in (("dog", 0.5), ("bear", 0.7))
    ]
    rows.append({**rows[0], "method": "constant position", "ev_logits": None})
    assert over_seeds(rows) == []
    # Another seed is told of beside them, not mixed in.
    rows.append({**rows[2], "seed": 1, "ev_logits": 0.7})
    assert means(rows)["PCA"]["ev_logits"] == pytest.approx(0.6)
    assert means(rows)["PCA"]["dead_share"] == 0.25
    assert means(rows)["constant position"]["ev_logits"] is None
    lines = by_category(rows)
    column = lines[2].split("|").index(" EV logits ↑ ")
    shown = {
        line.split("|")[1].strip(" *"): line.split("|")[column] for line in lines[4:]
    }
    assert {name: float(value) for name, value in shown.items()} == {
        "bear": 0.7,
        "dog": 0.5,
        "mean of those tuned on (1)": 0.5,
        "mean of the others (1)": 0.7,
        "mean of all (2)": 0.6,
    }
    (spread,) = over_seeds(rows)[5:]
    assert f"| {PLACES} | dog; seed 0, 1 | 0.500 ± 0.000 (0.000) |" in spread
    assert "| 0.600 ± 0.141 (0.141) |" in spread
    pytest.importorskip("matplotlib")
    table = write_reports(rows, tmp_path)
    assert "| PCA | bear, dog; seed 0 | 0.500 |" in table and "–" in table
    with (tmp_path / "rows.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 6
    assert (tmp_path / "table.md").read_text() == table
    assert (tmp_path / "frontier.png").stat().st_size > 1000
