"""The zoo's benchmark: its commands, and the table that it makes of rows."""

from __future__ import annotations

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


def test_a_weak_teachers_row_says_so() -> None:
    figures = {"accuracy": 0.5, "constant_accuracy": 0.1}
    row = {"cnn": "AlexNet", "what": "narrow", "classes": 20, "figures": figures}
    none = {"cnn": "MobileNet", "what": "as it is", "figures": None}
    good = {**row, "figures": {**figures, "accuracy": 0.9}}
    text = z.table({"teachers": [none, row, good], "explainers": []})
    lines = text.splitlines()[2:]
    assert "not measured" in lines[0]
    assert "0.500" in lines[1] and "under 60%: a weak teacher" in lines[1]
    assert "0.900" in lines[2] and "weak" not in lines[2]


def test_rows_of_explainers_show_their_controls() -> None:
    figures = {
        "part_tracking_share": 0.5,
        "location_instability": 0.08,
        "landmark_error": 0.1,
        "landmark_mean_predictor": 0.15,
    }
    mine = {
        **figures,
        "explained_variance": {"logits": 0.7},
        "without_ordinary": {"explained_variance": {"logits": -1.0}},
        "top1_agreement": 0.9,
        "top1_constant": None,
        "p": 0.25,
    }
    metrics = {
        "explainer": mine,
        "teacher": {**figures, "part_tracking_share": 0.01},
        "baselines": {"constant_position": {"location_instability": 0.07}},
    }
    row = {"subject": "alexnet", "category": "bear", "metrics": metrics}
    text = z.table({"teachers": [], "explainers": [row]})
    assert text.splitlines()[-1] == (
        "| alexnet | bear | 0.500 (0.010) | 0.080 (0.070) | 0.100 (0.150) | 0.700 | "
        "-1.000 | 0.900 (–) | 0.250 |"
    )
