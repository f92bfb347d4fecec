"""Results made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from keras_explainer.results import ClassScore, Explanation, Explanations, PartFinding


def finding(filter: int, **changes: Any) -> PartFinding:
    fields: dict[str, Any] = {
        "filter": filter,
        "present": True,
        "strength": 2.5,
        "relative_strength": 7.0 - filter,
        "cell": (1, 2),
        "position": (12.0, 25.0),
        "box": (4.0, 15.0, 20.0, 35.0),
    }
    return PartFinding(**{**fields, **changes})


def silent(filter: int) -> PartFinding:
    return finding(
        filter,
        present=False,
        strength=0.0,
        relative_strength=0.0,
        cell=None,
        position=None,
        box=None,
    )


@pytest.fixture
def make_finding() -> Any:
    return finding


@pytest.fixture
def make_explanation() -> Any:
    def make(**changes: Any) -> Explanation:
        fields: dict[str, Any] = {
            "index": 3,
            "image": "dog/7.jpg",
            "image_size": (32, 40),
            "answer": ClassScore(class_index=1, label="dog", score=0.75, logit=2.0),
            "reconstruction": ClassScore(class_index=1, label="dog", score=0.25),
            "reconstruction_answer": ClassScore(class_index=4, label=None, score=0.5),
            "share": 0.4,
            "filters": 4,
            "map_size": (4, 4),
            "beta": 4.0,
            "parts": (
                finding(2, other_cells=((3, 0),), name="ear", contribution=0.5),
                finding(0),
                silent(1),
                silent(3),
            ),
        }
        return Explanation(**{**fields, **changes})

    return make


@pytest.fixture
def make_explanations(make_explanation: Any) -> Any:
    def make(*items: Explanation) -> Explanations:
        return Explanations(
            items=items or tuple(make_explanation(index=at) for at in range(3)),
            teacher="MobileNet",
            tap="conv_pw_11_relu",
            fingerprint="ab" * 32,
            share=0.4,
            filters=4,
        )

    return make
