"""The zoo's benchmark: its commands, and the table that it makes of rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from keras_explainer.zoo import ZooConfig  # noqa: E402

from benchmarks import zoo_explainers as z  # noqa: E402

pytestmark = pytest.mark.one_backend


def test_every_subject_is_a_cnn_of_the_zoo(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_EXPLAINER_SHARED", str(tmp_path))
    assert len(z.SUBJECTS) >= 5
    for subject in z.SUBJECTS.values():
        assert subject.cnn in ZooConfig.names()
        command = z.fit_command(subject, tmp_path / "out")
        assert ("none" in command) != subject.pretrained
        assert command[-1] != "--resume" or subject.fit is None


def test_explainers_have_their_networks_configuration() -> None:
    """The paper's decoder for the paper's networks."""
    assert z.settings(z.SUBJECTS["alexnet"]) == [
        *("--recipe", "single", "--filters", "128", "--decoder", "fc"),
        *("--set", "pool_size=2"),
    ]
    assert z.settings(z.SUBJECTS["resnet50"])[:4] == [
        *("--recipe", "places", "--filters", "768")
    ]


def test_a_weak_teachers_row_says_so() -> None:
    figures = {"accuracy": 0.5, "constant_accuracy": 0.1}
    row = {"cnn": "AlexNet", "what": "narrow", "classes": 20, "figures": figures}
    none = {"cnn": "MobileNet", "what": "as it is", "figures": None}
    good = {**row, "figures": {**figures, "accuracy": 0.9}}
    same = {**row, "figures": {"accuracy": 0.64, "constant_accuracy": 0.62}}
    rows = {"teachers": [none, row, good, same], "explainers": []}
    lines = z.tables(rows)["teachers"].splitlines()[2:]
    assert "hardly better than always the same answer" in lines[3]
    assert "not measured" in lines[0]
    assert "0.500" in lines[1] and "under 60%: a weak teacher" in lines[1]
    assert "0.900" in lines[2] and "weak" not in lines[2]


def test_rows_of_explainers_show_their_controls() -> None:
    figures = {
        "part_tracking_share": 0.5,
        "location_instability": 0.08,
        "landmark_error": 0.1,
        "landmark_mean_predictor": 0.15,
        "distinct_positions": 8.0,
        "concentration": 0.75,
        "filter_correlation": None,
        "dead_filters": 1,
        "filters": 64,
    }
    mine = {
        **figures,
        "explained_variance": {"top": 0.6, "logits": 0.7},
        "without_ordinary": {"explained_variance": {"logits": -1.0}},
        "without_interpretable": {"explained_variance": {"logits": 0.2}},
        "top1_agreement": 0.9,
        "top1_constant": None,
        "kl": 0.5,
        "p": 0.25,
        "p_variance_share": 0.8,
    }
    metrics = {
        "explainer": mine,
        "teacher": {**figures, "part_tracking_share": 0.01},
        "baselines": {"constant_position": {"location_instability": 0.07}},
    }
    row = {"subject": "alexnet", "category": "bear", "metrics": metrics, "seconds": 9.6}
    found = z.tables({"teachers": [], "explainers": [row]})
    assert found["parts of explainers"].splitlines()[-1] == (
        "| alexnet, bear | 0.500 (0.010) | 0.080 (0.070) | 0.100 (0.150) | "
        "8.000 (8.000) | 0.750 (0.750) | – (–) | 1 of 64 |"
    )
    assert found["fidelity of explainers"].splitlines()[-1] == (
        "| alexnet, bear | 0.600 | 0.700 | -1.000 | 0.200 | 0.900 (–) | 0.500 | "
        "0.250 (0.800) | 10 |"
    )


def test_the_page_has_the_rows() -> None:
    rows = json.loads(
        (ROOT / "benchmarks/results/zoo_explainers/rows.json").read_text()
    )
    page = z.PAGE.read_text(encoding="utf-8")
    for table in z.tables(rows).values():
        assert table in page, "run `python -m benchmarks.zoo_explainers --page`"
