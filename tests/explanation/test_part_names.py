"""Names of parts and how sure they are; groups; names that are refused."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from keras_explainer.errors import DataError
from keras_explainer.explanation import filter_groups, name_parts
from keras_explainer.explanation.filter_groups import agreement
from keras_explainer.metrics import Positions
from keras_explainer.results import PartName, PartNames

pytestmark = pytest.mark.one_backend
SIZE, MAP = (32, 40), (8, 10)
naming = importlib.import_module("keras_explainer.explanation.name_parts")


def planted(images, seed=0):
    """Positions of 4 filters: on part 0, on part 1, at random, silent; and centres."""
    random = np.random.default_rng(seed)
    centres = random.uniform((4, 4), (28, 36), (images, 2, 2))
    cell = np.zeros((images, 4), int)
    for n in range(images):
        for f in range(2):
            row, column = (centres[n, f] / 4).astype(int)
            cell[n, f] = row * MAP[1] + column
        cell[n, 2] = random.integers(80)
    strength = np.ones((images, 4))
    strength[:, 3] = 0
    return Positions(cell, strength, MAP, SIZE), centres


@pytest.fixture
def given(monkeypatch):
    """`name_parts` reads planted positions instead of a network's."""

    def plant(found):
        def read(explainer, images, batch_size=32):
            return found, found.strength > 0

        monkeypatch.setattr(naming, "read_positions", read)

    return plant


class FourFilters:
    part_count = 4
    filters_fingerprint = "ab" * 32


@pytest.mark.parametrize("images", [10, 100])
def test_planted_filters_get_their_names(given, images):
    found, centres = planted(images)
    given(found)
    names = name_parts(FourFilters(), None, centres, ["head", "tail"])
    assert names.filters == 4
    assert names.fingerprint == FourFilters.filters_fingerprint
    for f, part in enumerate(("head", "tail")):
        assert names.of(f).name == part
        assert names.of(f).confidence > 0.95
        assert names.of(f).r2 > 0.8
        assert names.of(f).images == images
    assert names.of(2) is None and names.of(3) is None
    again = name_parts(FourFilters(), None, centres, ["head", "tail"])
    assert again == names


def test_it_says_how_sure_it_is(given):
    """Of filters that follow a part loosely, the surer names are true more often."""
    sure, right = [], []
    for seed in range(60):
        random = np.random.default_rng(seed)
        spread = random.uniform(2, 14)
        centres = random.uniform((4, 4), (28, 36), (210, 2, 2))
        place = centres[:, 0] + random.normal(0, spread, (210, 2))
        row = np.clip(place[:, 0] // 4, 0, 7).astype(int)
        column = np.clip(place[:, 1] // 4, 0, 9).astype(int)
        cell = np.stack([row * MAP[1] + column] * 4, 1)
        ones = np.ones(cell.shape)
        given(Positions(cell[:10], ones[:10], MAP, SIZE))
        names = name_parts(FourFilters(), None, centres[:10], ["head", "tail"])
        entry = names.of(0)
        if entry is None:
            continue
        rest = Positions(cell[10:], ones[10:], MAP, SIZE)
        score = naming.r2(rest, centres[10:])[0]
        sure.append(entry.confidence)
        right.append(entry.name == "head" and score[0] >= 0.3)
    sure, right = np.array(sure), np.array(right)
    assert len(sure) > 20
    assert right[sure >= 0.8].mean() > 0.8
    assert right[sure >= 0.8].mean() > right[sure < 0.8].mean()


def test_refused(given):
    found, centres = planted(10)
    given(found)
    with pytest.raises(DataError, match="annotated images: give centres="):
        name_parts(FourFilters(), None)
    with pytest.raises(DataError, match="centres of 2 parts but 1 names"):
        name_parts(FourFilters(), None, centres, ["head"])
    with pytest.raises(DataError):
        name_parts(FourFilters(), None, centres[:5], ["head", "tail"])
    centres[:3] = np.nan
    with pytest.raises(DataError, match=r"At least 8 images.*head 7, tail 7"):
        name_parts(FourFilters(), None, centres, ["head", "tail"])


def test_through_the_network(measured, images):
    """As many names as filters at most; the fingerprint is of the filters."""
    more = np.concatenate([images, images[:, ::-1]])
    centres = np.random.default_rng(0).uniform(4, 28, (14, 1, 2))
    names = name_parts(measured, more, centres, ["head"], draws=20)
    assert names.fingerprint == measured.filters_fingerprint
    found = measured.explain(
        images[:2], contributions=None, part_names=names, verbose=0
    )
    for item in found:
        for part in item.parts:
            entry = names.of(part.filter)
            assert part.name == (entry.name if entry else None)


def test_names_of_other_filters(measured, make_explainer, images, tmp_path):
    def explain(names):
        return measured.explain(
            images[:1], contributions=None, part_names=names, verbose=0
        )[0]

    item = explain({0: "ear", np.int64(4): "<b>tail</b>"})
    assert (item.part(0).name, item.part(4).name) == ("ear", "<b>tail</b>")
    assert item.part(0).name_confidence is None
    assert item.part(1).name is None
    assert "&lt;b&gt;tail" in item._repr_html_()
    own = PartNames(
        filters=6,
        fingerprint=measured.filters_fingerprint,
        names=(PartName(filter=1, name="ear", confidence=0.9, r2=0.5, images=12),),
    )
    own.save_json(tmp_path / "names.json")
    assert explain(tmp_path / "names.json").part(1).name_confidence == 0.9
    for names, message in (
        ({6: "ear"}, "Filter 6 is named.*0 to 5"),
        ({-1: "ear"}, "Filter -1 is named"),
        ({"one": "ear"}, "no set of part names"),
        ({1: 7}, "a text is needed"),
        ({1: " "}, "a text that is not empty"),
        (PartNames(filters=7), "of 7 filters, the explainer has 6"),
        (PartNames(filters=6, fingerprint="00" * 32), "filters of another explainer"),
        (["ear"], "got list"),
        (str(tmp_path / "none.json"), "cannot be read"),
    ):
        with pytest.raises(DataError, match=message):
            explain(names)


def test_json_and_table(tmp_path):
    names = PartNames(
        filters=9,
        names=(
            PartName(filter=1, name="ear", confidence=0.9, r2=0.5, images=12),
            PartName(filter=3, name="tail"),
        ),
        groups=((1, 4), (3, 5, 7)),
    )
    assert PartNames.from_dict(names.to_dict()) == names
    text = names.table()
    assert "2 of 9 filters have a name, 1 with a confidence of 0.8 or more" in text
    assert "by hand" in text
    assert "together (ear): 1, 4" in text
    for groups, message in (
        (((1, 1),), "Filter 1 is grouped twice"),
        (((1, 9),), "Filter 9 is grouped"),
    ):
        with pytest.raises(DataError, match=message):
            PartNames(filters=9, groups=groups)
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    with pytest.raises(DataError, match="schema_version is None"):
        PartNames.load_json(bad)


def test_agreement():
    found, _ = planted(30)
    share = agreement(found)
    for a in range(4):
        for b in range(4):
            near = either = 0
            for n in range(30):
                on = [found.strength[n, f] > 0 for f in (a, b)]
                either += any(on)
                row, column = np.divmod(found.cell[n, [a, b]], MAP[1])
                apart = np.hypot(row[0] - row[1], column[0] - column[1])
                near += all(on) and apart <= 1.5
            assert share[a, b] == pytest.approx(near / max(either, 1))


def test_groups():
    """Three filters beside each other, two others, one alone, one dead."""
    random = np.random.default_rng(0)
    places = random.integers((1, 1), (6, 8), (40, 2, 2))
    cell = np.zeros((40, 7), int)
    for f, (place, right) in enumerate(
        [(0, 0), (1, 0), (0, 1), (1, 0), (0, 0), (0, 0), (0, 0)]
    ):
        at = places[:, place]
        cell[:, f] = at[:, 0] * MAP[1] + at[:, 1] + right
    cell[:, 5] = random.integers(80, size=40)
    strength = np.ones(cell.shape)
    strength[:, 6] = 0
    assert filter_groups(Positions(cell, strength, MAP, SIZE)) == ((0, 2, 4), (1, 3))
    none = Positions(cell[:, 5:], strength[:, 5:], MAP, SIZE)
    assert filter_groups(none) == ()
