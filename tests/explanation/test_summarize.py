"""The summary of all filters, against slow sums over single explanations."""

from __future__ import annotations

import json

import numpy as np
import pytest
from keras import ops

from keras_explainer import explanation
from keras_explainer.datasets import ImageArray
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explanation import survey
from keras_explainer.losses import FilterLoss
from keras_explainer.metrics import location_instability, part_tracking
from keras_explainer.metrics import positions as positions_of
from keras_explainer.results import ExplainerSummary, json_schema

SILENT = 2


@pytest.fixture(scope="module")
def many(images):
    """28 images, four shifted copies of the seven."""
    return np.concatenate([np.roll(images, 5 * at, axis=2) for at in range(4)])


@pytest.fixture(scope="module")
def annotated(many):
    """Two parts, the second in no image but three; nothing was learned from them."""
    random = np.random.default_rng(3)
    centres = random.uniform((2, 2), (30, 38), (len(many), 2, 2))
    centres[3:, 1] = np.nan
    return ImageArray(many, part_names=("head", "tail"), centres=centres)


@pytest.fixture(scope="module")
def summary(measured, annotated):
    return explanation.summarize(measured, annotated, top=4, batch_size=5, verbose=0)


@pytest.fixture(scope="module")
def found(measured, many):
    return explanation.explain(measured, many, verbose=0)


@pytest.fixture(scope="module")
def maps(measured, many):
    return measured.predict(many, verbose=0, outputs=("maps", "part_maps"))


def test_figures_are_those_of_the_explanations(summary, found):
    for one in summary.filters:
        parts = [item.part(one.filter) for item in found]
        shares = np.abs(
            [[part.contribution for part in item.parts] for item in found]
        ).sum(1)
        use = np.mean(
            [abs(p.contribution) / s for p, s in zip(parts, shares, strict=True)]
        )
        assert one.use == pytest.approx(use, rel=1e-4, abs=1e-9)
        added = np.mean([part.contribution for part in parts])
        assert one.contribution == pytest.approx(added, rel=1e-3, abs=1e-6)
        assert one.present_share == np.mean([part.present for part in parts])
        places = np.array([part.position for part in parts if part.position])
        if not len(places):
            assert one.filter == SILENT and one.dead
            assert one.mean_position is None and one.top == ()
            continue
        assert one.mean_position == pytest.approx(tuple(places.mean(0)))
        spread = np.sqrt(places.var(0).sum()) / np.hypot(32, 40)
        assert one.position_spread == pytest.approx(spread)
        order = sorted(range(len(parts)), key=lambda at: (-parts[at].strength, at))
        strong = [at for at in order if parts[at].strength > 0][:4]
        assert [image.index for image in one.top] == strong
        for image in one.top:
            expected = parts[image.index]
            assert image.finding.cell == expected.cell
            assert image.finding.box == expected.box
            assert image.finding.contribution == pytest.approx(
                expected.contribution, rel=1e-3, abs=1e-6
            )


def test_shares_sum_to_one(summary, maps):
    assert sum(one.use for one in summary.filters) == pytest.approx(1)
    total = maps["part_maps"].sum((0, 1, 2))
    shares = [one.activation_share for one in summary.filters]
    assert shares == pytest.approx(list(total / total.sum()), rel=1e-4, abs=1e-9)


@pytest.mark.one_backend
def test_part_figures_are_those_of_the_metrics(summary, maps, annotated):
    places = positions_of(maps["maps"], (32, 40))
    tracking = part_tracking(places, annotated.centres)
    shares = [one.tracking_share for one in summary.filters]
    assert np.mean(shares) == pytest.approx(tracking.share)
    unstable = [one.location_instability for one in summary.filters if not one.dead]
    expected = location_instability(places, annotated.centres)
    assert np.mean(unstable) == pytest.approx(expected)
    assert summary.annotated_images == len(annotated)
    assert summary.constant_instability > 0


def test_information_is_minus_the_filter_loss(summary, measured, maps):
    recipe = measured.recipe
    loss = FilterLoss(recipe.beta, recipe.tau, recipe.temperature)
    expected = -ops.convert_to_numpy(loss.per_filter(maps["maps"]))
    found = [one.information for one in summary.filters]
    assert found == pytest.approx(list(expected), rel=1e-3, abs=1e-4)
    assert summary.information_images == 28
    assert summary.information_limit == pytest.approx(np.log(28))
    assert max(found) <= summary.information_limit + 1e-4


@pytest.mark.one_backend
def test_memory_for_the_information_is_bounded(measured, many, monkeypatch):
    """Fewer images, evenly spread, where maps are many."""
    monkeypatch.setattr(survey, "INFORMATION_BYTES", 4 * 8 * 10 * 6 * 7)
    few = explanation.summarize(
        measured, many, contributions=None, batch_size=5, verbose=0
    )
    assert few.information_images == 7
    chosen = measured.predict(many[::4], verbose=0, outputs=("maps",))["maps"]
    recipe = measured.recipe
    loss = FilterLoss(recipe.beta, recipe.tau, recipe.temperature)
    expected = -ops.convert_to_numpy(loss.per_filter(chosen))
    assert [one.information for one in few.filters] == pytest.approx(
        list(expected), rel=1e-3, abs=1e-4
    )
    assert few.no_contributions == "they were not asked for"
    assert {one.use for one in few.filters} == {None}
    assert few.by_use[0].present_share == max(o.present_share for o in few.filters)


@pytest.mark.one_backend
def test_tracking_finds_a_planted_part(measured, many, maps):
    """Centres that are a filter's own positions, and some noise."""
    places = positions_of(maps["maps"], (32, 40))
    planted = 4
    centres = places.pixels[:, planted : planted + 1].copy()
    centres += np.random.default_rng(0).normal(0, 0.3, centres.shape)
    centres = np.clip(centres, 0, (32, 40))
    one = explanation.summarize(
        measured, many, centres=centres, centre_names=["ear"], top=0, verbose=0
    ).filter(planted)
    assert (one.tracked_part, one.tracking_share) == ("ear", 1.0)
    assert one.tracking_r2 > 0.95
    assert one.top == ()


@pytest.mark.one_backend
def test_look_alikes(make_explainer, many):
    """A filter and its copy are a group."""
    explainer = make_explainer()
    conv = explainer.encoder.conv_2.conv
    kernel, bias = conv.get_weights()
    kernel[..., 5], bias[5] = 2 * kernel[..., 0], 2 * bias[0]
    conv.set_weights([kernel, bias])
    summary = explanation.summarize(explainer, many, contributions=None, verbose=0)
    one = summary.filter(0)
    assert one.look_alikes[0] == (5, 1.0)
    assert {0, 5} <= set(summary.groups[one.group])
    assert summary.filter(5).group == one.group


@pytest.mark.one_backend
def test_json_and_tables(summary):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema("summary")
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    jsonschema.validate(data, schema)
    assert ExplainerSummary.from_dict(data) == summary
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**data, "images": 0}, schema)
    for broken in ({"schema_version": 9}, {"filters": [1]}, {"share": "much"}):
        with pytest.raises(DataError):
            ExplainerSummary.from_dict({**data, **broken})
    assert len(summary.table(3).splitlines()) == 6
    assert "filter 2 dead" in str(summary)
    assert "&lt;" not in summary._repr_html_() and "<table>" in summary._repr_html_()
    with pytest.raises(ConfigError, match="explanations, summary"):
        json_schema("sumary")


@pytest.mark.one_backend
def test_its_file(summary, tmp_path):
    summary.save_json(tmp_path / "summary.json")
    assert ExplainerSummary.load_json(tmp_path / "summary.json") == summary
    with pytest.raises(DataError, match="no filter 6"):
        summary.filter(6)


@pytest.mark.one_backend
def test_bad_input(measured, many):
    with pytest.raises(ConfigError, match="top is a whole number from 0"):
        explanation.summarize(measured, many, top=-1)
    with pytest.raises(ConfigError, match="out of range"):
        explanation.summarize(measured, many, 5)
    with pytest.raises(DataError, match="centres of 1 parts but 2 names"):
        explanation.summarize(
            measured, many, centres=np.ones((28, 1, 2)), centre_names=["a", "b"]
        )
    with pytest.raises(DataError):
        explanation.summarize(measured, many, centres=np.ones((3, 1, 2)))
    with pytest.raises(DataError, match="number is known"):
        explanation.summarize(measured, iter([many]), centres=np.ones((28, 1, 2)))
    with pytest.raises(DataError):
        explanation.summarize(measured, many[:0])


@pytest.mark.one_backend
def test_names_and_one_class(measured, many):
    summary = explanation.summarize(
        measured,
        many,
        "dog",
        part_names={0: "<i>ear</i>"},
        names=map(str, range(28)),
        verbose=0,
    )
    assert summary.explained == "dog"
    assert summary.filter(0).title == "filter 0 (<i>ear</i>)"
    assert summary.filter(0).top[0].title in map(str, range(28))
    assert "<i>" not in summary._repr_html_()
