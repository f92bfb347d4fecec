"""The examples run as they stand, with small settings."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run_here(monkeypatch: Any, capsys: Any) -> Callable[..., str]:
    """Runs an example in this process, which has loaded Keras; what it prints."""

    def run(name: str, *options: object) -> str:
        path = str(ROOT / "examples" / name)
        monkeypatch.setattr(sys, "argv", [path, *map(str, options)])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.one_backend
def test_own_model(tmp_path: Path, run_here: Callable[..., str]) -> None:
    options = ["--images", 24, "--epochs", 1, "--out", tmp_path]
    assert "explained variance of the logits" in run_here("own_model.py", *options)
    assert {p.name for p in tmp_path.iterdir()} == {
        *(f"{i}.png" for i in range(4)),
        "explanations.json",
    }
    found = json.loads((tmp_path / "explanations.json").read_text())
    assert len(found["explanations"]) == 4


def run(name: str, *options: object) -> str:
    """What an example prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / name, *map(str, options)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.one_backend
def test_quick_start(tmp_path: Path, run_here: Callable[..., str]) -> None:
    shown = run_here("quick_start.py", "--images", 24, "--out", tmp_path)
    assert "contribution" in shown and "groups of filters" in shown
    files = {"image.png", "filters.png", "report.html"}
    assert {path.name for path in tmp_path.iterdir()} == files


@pytest.mark.slow
@pytest.mark.one_backend
def test_fine_tuned(tmp_path: Path) -> None:
    options = ["--images", 24, "--teacher-epochs", 1, "--epochs", 1, "--filters", 16]
    run("fine_tuned.py", *options, "--size", 64, "--out", tmp_path)
    assert (tmp_path / "report" / "report.html").stat().st_size > 20_000
    assert (tmp_path / "run" / "explainer.keras").exists()


@pytest.mark.slow
@pytest.mark.one_backend
def test_compare_models(tmp_path: Path) -> None:
    options = ["--images", 24, "--epochs", 1, "--filters", 4, "--out", tmp_path]
    assert "matched filters correspond" in run("compare_models.py", *options)
    names = {"comparison.json", "only_old.png", "only_new.png"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.slow
@pytest.mark.one_backend
def test_find_a_shortcut(tmp_path: Path) -> None:
    """With few images it finds nothing; what it measures is checked below."""
    options = ["--train", 36, "--explained", 18, "--test", 4, "--filters", 4]
    epochs = ["--epochs", 1, "--teacher-epochs", 1]
    run("find_a_shortcut.py", *options, *epochs, "--out", tmp_path)
    measured = json.loads((tmp_path / "shortcut.json").read_text())
    for name in ("planted", "clean"):
        rows = measured[name]["largest_filters"]
        assert len(rows) == 4
        added = [row["contribution"] for row in rows]
        assert added == sorted(added, reverse=True)
        assert (tmp_path / f"{name}.html").exists()
    assert (tmp_path / "shortcut.png").exists()


@pytest.mark.one_backend
def test_marks_of_the_shortcut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the mark is, and what counts as lying on it."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    import find_a_shortcut as example

    plain = np.full((40, 96, 96, 3), 7, "uint8")
    which = np.arange(40) % 2 == 0
    marked, places = example.with_marks(plain, which, seed=0)
    assert (plain == 7).all()
    changed = (marked != 7).any(-1)
    assert not changed[~which].any()
    for image, (top, left) in zip(changed[which], places[which], strict=True):
        rows, columns = np.nonzero(image)
        assert (rows.min(), columns.min()) == (top, left)
        assert rows.max() - top + 1 == columns.max() - left + 1 == example.SIDE
        middle = np.array([top, left]) + example.SIDE / 2
        assert min(*middle, *(96 - middle)) <= example.BORDER
    places = np.array([[40, 50]])
    side = example.SIDE
    positions = np.array(
        [[[41, 51], [37, 51], [35.9, 51], [44 + side, 55], [44, 54.1 + side]]]
    )
    hits = example.on_mark(positions, places, cell=8.0)
    assert hits.tolist() == [[True, True, False, False, False]]
    silent = example.on_mark(np.full((1, 1, 2), np.nan), places, cell=8.0)
    assert not silent.any()


@pytest.mark.one_backend
def test_the_shortcut_is_found() -> None:
    """The figures that the README tells of, as they were measured."""
    folder = ROOT / "benchmarks" / "results" / "shortcut"
    for path in sorted(folder.glob("seed_*.json")):
        measured = json.loads(path.read_text())
        first = measured["planted"]["largest_filters"][0]
        assert first["on_mark"] >= 0.9, path
        clean = [row["on_mark"] for row in measured["clean"]["largest_filters"]]
        assert len(clean) == 10 and max(clean) <= 0.1, path


@pytest.mark.one_backend
def test_first_explainer_notebook() -> None:
    """All cells in order, each as a notebook would run it."""
    notebook = json.loads((ROOT / "examples" / "first_explainer.ipynb").read_text())
    assert notebook["nbformat"] == 4
    names: dict[str, object] = {}
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)
    for cell in cells:
        exec(compile("".join(cell["source"]), "cell", "exec"), names)
    assert names["truth"]["explainer"]["tracking"]["share"] > 0.5
    assert names["figures"]["explained_variance"]["logits"] > 0.8
    assert len(names["found"]) == 64
