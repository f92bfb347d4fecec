"""Result objects: fields, masks, JSON."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

from keras_explainer.errors import DataError
from keras_explainer.results import (
    ClassScore,
    Explanation,
    Explanations,
    PartFinding,
    mask_cells,
)


def slow_mask(cells, map_size, beta):
    """The equation, cell by cell."""
    mask = np.zeros(map_size)
    for i in range(map_size[0]):
        for j in range(map_size[1]):
            for row, column in cells:
                distance = abs(i - row) + abs(j - column)
                value = 1 - beta * distance / max(map_size)
                mask[i, j] = max(mask[i, j], value, 0)
    return mask


@pytest.mark.parametrize("map_size", [(14, 14), (7, 5), (3, 11), (1, 1)])
@pytest.mark.parametrize("beta", [0.5, 4.0, 30.0])
def test_mask_cells(map_size, beta):
    random = np.random.default_rng(0)
    for count in (0, 1, 3):
        cells = [tuple(random.integers(0, map_size)) for _ in range(count)]
        found = mask_cells(cells, map_size, beta)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, slow_mask(cells, map_size, beta), atol=1e-6)


def test_masks_of_an_explanation(make_explanation):
    explanation = make_explanation()
    masks = explanation.masks()
    assert masks.shape == (4, 4, 4)
    np.testing.assert_array_equal(masks[0], mask_cells([(1, 2), (3, 0)], (4, 4), 4.0))
    np.testing.assert_array_equal(masks[1], mask_cells([(1, 2)], (4, 4), 4.0))
    assert masks[2:].max() == 0
    assert make_explanation(parts=()).masks().shape == (0, 4, 4)


def test_present_and_part(make_explanation):
    explanation = make_explanation()
    assert [part.filter for part in explanation.present] == [2, 0]
    assert explanation.part(3) is explanation.parts[3]
    assert explanation.part(np.int64(0)).filter == 0
    with pytest.raises(DataError, match=r"no filter 4; the explainer's are 0 to 3"):
        explanation.part(4)
    few = make_explanation(parts=explanation.parts[:1])
    with pytest.raises(DataError, match=r"only the first 1 were.*without k"):
        few.part(0)


def test_titles(make_explanation, make_finding):
    assert make_explanation().title == "dog/7.jpg"
    assert make_explanation(image=None).title == "image 3"
    assert make_finding(5).title == "filter 5"
    assert make_finding(5, name="ear").title == "filter 5 (ear)"
    score = ClassScore(class_index=8, label=None, score=0.5)
    assert score.title == "class 8"


def test_frozen(make_explanation, make_explanations):
    for result in (make_explanation(), make_explanations()):
        with pytest.raises(AttributeError):
            result.share = 0.1
    assert hash(make_explanation()) == hash(make_explanation())


def test_json_round_trip(make_explanation, make_explanations):
    plain = make_explanation(
        image=None, answer=None, reconstruction=None, reconstruction_answer=None
    )
    for result in (make_explanation(), plain, make_explanations()):
        text = json.dumps(result.to_dict(), allow_nan=False)
        again = type(result).from_dict(json.loads(text))
        assert again == result
        assert json.loads(text)["schema_version"] == 1
        assert pickle.loads(pickle.dumps(result)) == result


def test_json_fields(make_explanation):
    data = make_explanation().to_dict()
    assert data["parts"][0] == {
        "filter": 2,
        "present": True,
        "strength": 2.5,
        "relative_strength": 5.0,
        "cell": [1, 2],
        "position": [12.0, 25.0],
        "box": [4.0, 15.0, 20.0, 35.0],
        "other_cells": [[3, 0]],
        "name": "ear",
        "name_confidence": None,
        "contribution": 0.5,
        "area_contribution": None,
    }
    assert data["parts"][2]["position"] is None
    assert data["answer"] == {
        "class_index": 1,
        "label": "dog",
        "score": 0.75,
        "logit": 2.0,
    }
    assert data["image_size"] == [32, 40]


def test_unknown_fields_are_ignored_and_optional_ones_may_miss(make_explanation):
    data = make_explanation().to_dict()
    data["completeness_error"] = 0.1
    data["parts"][0]["confidence"] = 1.0
    assert Explanation.from_dict(data) == make_explanation()
    for name in ("name", "contribution", "area_contribution", "other_cells"):
        del data["parts"][1][name]
    del data["answer"]["logit"]
    assert Explanation.from_dict(data).parts[1] == make_explanation().parts[1]


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_another_schema_version(version, make_explanation, make_explanations):
    for result in (make_explanation(), make_explanations()):
        data = {**result.to_dict(), "schema_version": version}
        with pytest.raises(DataError, match=f"schema_version is {version!r}.*reads 1"):
            type(result).from_dict(data)


WRONG = [
    (["share"], "much"),
    (["share"], True),
    (["index"], 0.5),
    (["index"], float("inf")),
    (["image"], 7),
    (["image_size"], [32]),
    (["image_size"], [32, 40, 3]),
    (["map_size"], "44"),
    (["parts"], {"filter": 1}),
    (["parts", 0], "filter 2"),
    (["parts", 0, "filter"], None),
    (["parts", 0, "present"], 1),
    (["parts", 0, "position"], [1.0]),
    (["parts", 0, "box"], [1, 2, 3]),
    (["parts", 0, "other_cells"], [[1]]),
    (["answer"], 3),
    (["answer", "score"], "0.5"),
]


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_foreign_json(path, value, make_explanation):
    data = copy.deepcopy(make_explanation().to_dict())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(DataError, match="This is no"):
        Explanation.from_dict(data)


@pytest.mark.parametrize("name", ["parts", "share", "map_size", "image", "answer"])
def test_a_field_that_is_missing(name, make_explanation):
    data = make_explanation().to_dict()
    del data[name]
    with pytest.raises(DataError, match=f"field '{name}' is missing"):
        Explanation.from_dict(data)


@pytest.mark.parametrize("kind", [Explanation, Explanations])
def test_no_dict(kind):
    with pytest.raises(DataError, match="a dict is needed, got list"):
        kind.from_dict([1])


def test_sequence(make_explanations):
    explanations = make_explanations()
    assert len(explanations) == 3
    assert [item.index for item in explanations] == [0, 1, 2]
    assert explanations[-1].index == 2
    assert explanations[np.int64(1)].index == 1
    assert explanations[0] in explanations
    part = explanations[1:]
    assert isinstance(part, Explanations)
    assert [item.index for item in part] == [1, 2]
    assert (part.share, part.teacher) == (0.4, "MobileNet")
    with pytest.raises(IndexError):
        explanations[3]


def test_save_and_load(make_explanations, tmp_path, monkeypatch):
    explanations = make_explanations()
    path = tmp_path / "new" / "explanations.json"
    explanations.save_json(path)
    assert Explanations.load_json(path) == explanations

    # A write that fails leaves the old file and nothing else.
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        explanations[:1].save_json(path)
    assert Explanations.load_json(path) == explanations
    assert [file.name for file in path.parent.iterdir()] == ["explanations.json"]


def test_files_that_cannot_be_loaded(tmp_path):
    with pytest.raises(DataError, match=r"none\.json cannot be read"):
        Explanations.load_json(tmp_path / "none.json")
    bad = tmp_path / "bad.json"
    for content in (b"{", b"\xff\xfe\x00", b""):
        bad.write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.json is no JSON"):
            Explanations.load_json(bad)


def test_findings_are_small(make_finding):
    part = make_finding(0)
    assert not hasattr(part, "__dict__")
    assert PartFinding.from_dict(part.to_dict()).cells == ((1, 2),)
