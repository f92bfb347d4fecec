"""When an explanation warns; contributions; the JSON schema."""

from __future__ import annotations

import json

import pytest

from keras_explainer.errors import DataError
from keras_explainer.results import (
    ClassScore,
    Contributions,
    Explanation,
    json_schema,
)

jsonschema = pytest.importorskip("jsonschema")


def score(class_index, logit, value=0.5, label=None):
    return ClassScore(class_index=class_index, label=label, score=value, logit=logit)


def shared(**changes):
    fields = {
        "method": "integrated_gradients",
        "filters": 1.5,
        "ordinary": 2.5,
        "baseline": 1.0,
        "change": 4.0,
        "steps": 16,
    }
    return Contributions(**{**fields, **changes})


def explained(make_explanation, theirs, mine, own=None, activation="softmax", **more):
    return make_explanation(
        answer=theirs,
        explained=theirs,
        reconstruction=mine,
        reconstruction_answer=own or mine,
        activation=activation,
        contributions=more.pop("contributions", shared()),
        **more,
    )


def test_errors_of_contributions():
    assert shared().completeness_error == 0
    assert shared().relative_error == 0
    assert shared(ordinary=2.7).completeness_error == pytest.approx(0.2)
    assert shared(ordinary=2.7, change=-5).relative_error == pytest.approx(9.2 / 5)
    assert shared(change=0.0).relative_error is None
    again = Contributions.from_dict(json.loads(json.dumps(shared().to_dict())))
    assert again == shared()
    with pytest.raises(DataError, match="no set of contributions"):
        Contributions.from_dict({"method": "integrated_gradients"})


def test_a_good_explanation_does_not_warn(make_explanation):
    good = explained(make_explanation, score(1, 5.0), score(1, 4.0))
    assert good.warnings == ()
    assert good.logit_gap == -1.0


def test_another_decision(make_explanation):
    one, two = score(1, 5.0, label="dog"), score(4, 5.5, label="eel")
    other = explained(make_explanation, one, score(1, 4.9), own=two)
    assert len(other.warnings) == 1
    assert "its own answer is eel, the teacher's dog" in other.warnings[0]
    assert "warning: poor reconstruction" in other.table()
    # Of numbers that are no classes, the highest means nothing.
    assert not explained(
        make_explanation, one, score(1, 4.9), own=two, activation="linear"
    ).warnings


def test_a_sigmoid_on_the_other_side(make_explanation):
    for mine, warned in ((0.6, False), (0.4, True)):
        item = explained(
            make_explanation,
            score(0, 5.0, 0.9),
            score(0, 4.9, mine),
            activation="sigmoid",
        )
        assert bool(item.warnings) == warned


def test_a_logit_that_is_far_off(make_explanation):
    """More than half of the teacher's logit over the baseline's, 5 over 1."""
    for logit, warned in ((3.1, False), (2.9, True), (6.9, False), (7.1, True)):
        item = explained(make_explanation, score(1, 5.0), score(1, logit))
        assert bool(item.warnings) == warned, logit


def test_an_incomplete_sum(make_explanation):
    for ordinary, warned in ((2.69, False), (2.71, True), (2.29, True)):
        item = explained(
            make_explanation,
            score(1, 5.0),
            score(1, 5.0),
            contributions=shared(ordinary=ordinary),
        )
        assert bool(item.warnings) == warned
    ablated = shared(ordinary=9.0, method="ablation")
    assert not explained(
        make_explanation, score(1, 5.0), score(1, 5.0), contributions=ablated
    ).warnings


def test_without_logits_or_answer(make_explanation):
    assert make_explanation(explained=None).warnings == ()
    assert make_explanation(explained=None).logit_gap is None
    item = explained(
        make_explanation, score(1, None), score(1, None), contributions=None
    )
    assert item.warnings == () and item.logit_gap is None


def test_table_with_contributions(make_explanation):
    item = explained(make_explanation, score(1, 5.0), score(1, 4.5))
    lines = item.table().splitlines()
    assert (
        "logit 1.00 at the baseline, changed by +4.00: filters +1.50, ordinary track "
        "+2.50, completeness error 0.0 %"
    ) in lines
    header = next(i for i, line in enumerate(lines) if line.startswith("part"))
    assert lines[header].split()[1] == "contribution"
    assert lines[header + 1].split()[:4] == ["filter", "2", "(ear)", "+0.500"]
    assert lines[header + 2].split()[2] == "-"
    why = make_explanation(no_contributions="there is no head")
    assert "no contributions: there is no head" in why.table()


def schema_of(kind):
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    if kind == "all":
        return schema
    return {**schema["$defs"]["explanation"], "$defs": schema["$defs"]}


def strict(schema):
    """The schema with no field allowed that it does not name."""
    if isinstance(schema, dict):
        closed = {key: strict(value) for key, value in schema.items()}
        if "properties" in schema and schema.get("type") == "object":
            closed["additionalProperties"] = False
        return closed
    return [strict(one) for one in schema] if isinstance(schema, list) else schema


def test_json_follows_the_schema(make_explanation, make_explanations):
    full = explained(make_explanation, score(1, 5.0), score(1, 4.5), image=None)
    bare = make_explanation(
        answer=None,
        reconstruction=None,
        reconstruction_answer=None,
        no_contributions="there is no head",
    )
    for item in (full, bare):
        jsonschema.validate(item.to_dict(), strict(schema_of("one")))
        assert Explanation.from_dict(json.loads(json.dumps(item.to_dict()))) == item
    jsonschema.validate(
        make_explanations(full, bare).to_dict(), strict(schema_of("all"))
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["schema_version"], 2),
        (["explanations", 0, "share"], 1.5),
        (["explanations", 0, "parts", 0, "box"], [1, 2, 3]),
        (["explanations", 0, "contributions", "method"], "guessing"),
        (["explanations", 0, "answer"], "dog"),
        (["explanations", 0, "warnings"], None),
    ],
)
def test_the_schema_refuses(make_explanation, make_explanations, path, value):
    item = explained(make_explanation, score(1, 5.0), score(1, 4.5))
    data = make_explanations(item).to_dict()
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema_of("all"))
