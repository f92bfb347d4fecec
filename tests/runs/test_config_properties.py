"""Every configuration that is accepted comes back from its JSON as it was."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from keras_explainer import runs  # noqa: E402
from keras_explainer.datasets.views import ViewSpec  # noqa: E402
from keras_explainer.errors import ConfigError  # noqa: E402
from keras_explainer.explainer import Recipe  # noqa: E402
from keras_explainer.runs.run_facts import RunFacts  # noqa: E402

pytestmark = pytest.mark.one_backend

VALUES = {
    int: st.integers(-1, 40) | st.sampled_from([2**31, 2**53 + 1]),
    float: st.floats(0, 1) | st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    str: st.text(max_size=12) | st.sampled_from(["float16", "raise", "val_loss"]),
    type(None): st.none(),
    dict[str, Any]: st.dictionaries(st.text(max_size=5), st.integers() | st.text()),
    tuple[int, int]: st.tuples(st.integers(1, 999), st.integers(1, 999)),
    tuple[dict[str, Any], ...]: st.lists(
        st.fixed_dictionaries({"path": st.text(), "reason": st.text()}), max_size=2
    ).map(tuple),
}


@st.composite
def accepted(draw: Any, cls: Any) -> Any:
    """An instance with up to four of its fields drawn, where `cls` accepts them."""
    hints = get_type_hints(cls)
    needed = [f.name for f in fields(cls) if _needed(f)]
    others = [f.name for f in fields(cls) if not _needed(f)]
    chosen = draw(st.lists(st.sampled_from(others), max_size=4)) if others else []
    given_values = {}
    for name in {*needed, *chosen} - {"versions", "schema_version", "status"}:
        kinds = get_args(hints[name])
        kinds = kinds if type(None) in kinds else (hints[name],)
        kind = draw(st.sampled_from(kinds))
        nested = accepted(kind) if is_dataclass(kind) else VALUES[kind]
        given_values[name] = draw(nested)
    try:
        return cls(**given_values)
    except ConfigError:
        hypothesis.reject()


def _needed(field: Any) -> bool:
    from dataclasses import MISSING

    return field.default is MISSING and field.default_factory is MISSING


@settings(max_examples=60)
@given(recipe=accepted(Recipe))
def test_recipes(recipe):
    text = json.dumps(recipe.to_dict(), allow_nan=False)
    assert Recipe.from_dict(json.loads(text)) == recipe
    assert Recipe.resolve(recipe) == Recipe.resolve(recipe.to_dict()) == recipe


@settings(max_examples=60)
@given(config=accepted(runs.RunConfig))
def test_runs(config):
    text = json.dumps(config.to_dict(), allow_nan=False)
    again = runs.RunConfig.from_dict(json.loads(text))
    assert again == config
    assert not config.differences(again)


@settings(max_examples=40)
@given(facts=accepted(RunFacts), data=accepted(runs.DataConfig))
def test_parts_of_runs(facts, data):
    config = runs.RunConfig(teacher=None, data=data, facts=facts, status="complete")
    again = runs.RunConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again.facts == facts and again.data == data


@settings(max_examples=40)
@given(
    count=st.integers(1, 9),
    sides=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(sorted),
    flip=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_views(count, sides, flip, seed):
    views = ViewSpec(count, *sides, flip, seed)
    assert ViewSpec(**json.loads(json.dumps(views.to_dict()))) == views
