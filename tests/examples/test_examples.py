"""The examples run as they stand, with small settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.one_backend
def test_own_model(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "own_model.py", "--images", "24"]
        + ["--epochs", "1", "--out", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "explained variance of the logits" in done.stdout
    assert {p.name for p in tmp_path.iterdir()} == {
        *(f"{i}.png" for i in range(4)),
        "explanations.json",
    }
    found = json.loads((tmp_path / "explanations.json").read_text())
    assert len(found["explanations"]) == 4


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
