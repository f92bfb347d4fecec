"""An export is compared with Keras before it appears; a wrong one is removed."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from small_teacher import make_images

from keras_explainer.errors import DataError, ExportError
from keras_explainer.export.agreement import Agreement
from keras_explainer.export.reference import ALSO_DARKER, shared_scale
from keras_explainer.export.sample_images import SampleImages, generated

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def reference(explainer):
    from keras_explainer.explanation.part_naming import resolve_part_names
    from keras_explainer.export.reference import Reference

    names = resolve_part_names(explainer, {0: "ear", 3: "nose — right"})
    return Reference(explainer, make_images(3), names)


@pytest.fixture(scope="module")
def answers(loaded, reference):
    """What the export answers, by signature."""
    import tensorflow as tf

    wanted = {
        name: set(function.structured_input_signature[1])
        for name, function in loaded.signatures.items()
    }
    found = {}
    for name, inputs in reference.requests(wanted).items():
        given = {key: tf.constant(value) for key, value in inputs.items()}
        served = loaded.signatures[name](**given)
        found[name] = {key: value.numpy() for key, value in served.items()}
    return found


def agreement(reference, answers, signature=None, **changes):
    """With some outputs of a signature changed."""
    found = Agreement(reference, 1e-4, 1e-5)
    for name, outputs in answers.items():
        changed = changes if name == signature else {}
        found.compare(name, {**outputs, **changed})
    return found


def test_rounding_is_measured_and_accepted(reference, explainer, monkeypatch):
    """One unit in the images' last place, and no more than a hundredth."""
    told = reference._of_teacher(reference.images)
    assert 0 < reference.rounding < 5e-6  # of a network of few layers
    assert agreement(reference, {}).tolerance == 1e-5
    calls = []

    def enlarged(self, images):
        calls.append(images)
        return {name: value * (1 + 3e-5) for name, value in told.items()}

    monkeypatch.setattr(type(reference), "_of_teacher", enlarged)
    assert reference._rounding(told) == pytest.approx(3e-5, rel=1e-2)
    (moved,) = calls
    away = np.abs(moved - reference.images) / np.maximum(reference.images, 1)
    assert 0 < away.max() < 1.2e-7  # float32 has 24 bits
    assert {"scores", *reference.explainer.teacher.targets} < set(told)
    for rounding, tolerance in ((3e-5, 6e-5), (1.0, 1e-2)):
        monkeypatch.setattr(reference, "rounding", rounding)
        found = agreement(reference, {})
        assert found.tolerance == pytest.approx(tolerance)
        assert found.margin == pytest.approx(10 * tolerance)


def test_what_is_recorded(exported):
    record = json.loads((exported / "export.json").read_text())
    assert record["max_difference"] <= record["tolerance"] == 1e-5
    assert record["margin"] == 1e-4
    assert record["images"]["source"] == "generated"
    assert record["images"]["count"] == 8
    assert set(record["differences"]) == set(record["signatures"]) - {"describe"}
    for kinds in record["decisions"].values():
        for figures in kinds.values():
            assert figures["wrong"] == 0
            assert 0 <= figures["ties"] < 1
    explain = record["signatures"]["explain"]
    assert explain["inputs"] == {
        "images": {"dtype": "float32", "shape": [-1, -1, -1, 3]}
    }
    assert explain["outputs"]["part_boxes"]["shape"] == [-1, 4, 4]
    files = {
        file.relative_to(exported).as_posix()
        for file in exported.rglob("*")
        if file.is_file()
    }
    assert set(record["files"]) == files - {"export.json"}
    for name, told in record["files"].items():
        data = (exported / name).read_bytes()
        assert told["bytes"] == len(data)
        assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["bytes"] == sum(told["bytes"] for told in record["files"].values())


def test_an_export_agrees(reference, answers):
    found = agreement(reference, answers)
    assert found.faults == []
    assert found.wrong() is None
    assert found.largest()[0] <= 1e-5
    decided = found.decisions["explain"]
    assert decided["presence"]["compared"] == decided["positions"]["compared"] == 12


@pytest.mark.parametrize(
    ("signature", "output"),
    [
        ("explain", "scores"),
        ("explain_jpeg", "reconstruction_logits"),
        ("explain", "part_relative_strengths"),
        ("part_maps", "part_maps"),
        ("reconstruct", "top"),
        ("explain_contributions", "ordinary_contribution"),
        ("explain_contributions", "completeness_error"),
        ("classify", "scores"),
    ],
)
def test_numbers_that_differ_are_noticed(reference, answers, signature, output):
    value = answers[signature][output]
    wrong = value + np.float32(2e-4) * np.abs(value).max()
    if output == "completeness_error":
        wrong = value + np.float32(1e-3)
    found = agreement(reference, answers, signature, **{output: wrong})
    largest, name, accepted = found.largest()
    assert name == f"{signature}: {output}"
    assert largest > accepted
    nan = np.where(np.arange(len(value)).reshape(-1, *[1] * (value.ndim - 1)), 0, value)
    found = agreement(reference, answers, signature, **{output: nan * np.nan})
    assert found.largest()[:2] == (np.inf, f"{signature}: {output}")
    short = agreement(reference, answers, signature, **{output: value[:1]})
    assert short.largest()[0] == np.inf or "number of rows" in short.faults[0]


def test_decisions_that_differ_are_noticed(reference, answers):
    given = answers["explain"]
    swapped = {
        name: value[:, [1, 0, 2, 3]]
        for name, value in given.items()
        if name.startswith("part_")
    }
    found = agreement(reference, answers, "explain", **swapped)
    assert found.largest()[0] <= 1e-5
    assert "ranks" in found.wrong()
    for output in ("part_positions", "part_boxes"):
        moved = agreement(reference, answers, "explain", **{output: given[output] + 4})
        assert "positions" in moved.wrong()
    present = ~given["part_present"]
    assert (
        "presence"
        in agreement(reference, answers, "explain", part_present=present).wrong()
    )
    for changes, fault in (
        ({"part_names": np.roll(given["part_names"], 1, 0)}, "names"),
        ({"part_filters": given["part_filters"] - 9}, "there are not"),
        ({"status": np.array([b"", b"no", b""])}, "refuses a good image: no"),
    ):
        found = agreement(reference, answers, "explain", **changes)
        assert fault in found.faults[0]
    other = answers["explain_contributions"]["class_index"] + 1
    found = agreement(reference, answers, "explain_contributions", class_index=other)
    assert "other classes" in found.faults[0]


def test_where_all_images_tie_nothing_is_compared(reference, answers):
    """Of a teacher that tells nothing apart: of the parts no number can be at fault."""
    none = SimpleNamespace(
        **{
            **vars(reference),
            "filters": reference.filters,
            "clear": np.zeros_like(reference.clear),
        }
    )
    found = agreement(none, answers)
    assert found.faults == [] and found.wrong() is None
    assert found.decisions["explain_contributions"]["ranks"]["compared"] == 0


def test_ties_are_no_faults(reference, answers):
    """Two filters of nearly the same strength may change places."""
    parts = reference.parts["explain"]
    first, second = parts["order"][0, :2]
    strengths = parts["part_relative_strengths"].copy()
    strengths[0, second] = strengths[0, first] * (1 - 1e-6)
    tied = SimpleNamespace(
        **{
            **vars(reference),
            "filters": reference.filters,
            "parts": {"explain": {**parts, "part_relative_strengths": strengths}},
        }
    )
    order = np.array([1, 0, 2, 3])
    given = {"explain": dict(answers["explain"])}
    for name, value in given["explain"].items():
        if name.startswith("part_"):
            given["explain"][name] = np.concatenate([value[:1, order], value[1:]])
    plain = agreement(reference, {"explain": answers["explain"]}).decisions["explain"]
    found = agreement(tied, given)
    assert found.wrong() is None
    decided = found.decisions["explain"]
    assert decided["ranks"]["ties"] > plain["ranks"]["ties"]
    assert "ranks" in agreement(reference, given).wrong()


def test_an_export_that_is_wrong_is_removed(
    verified, plain_explainer, tmp_path, monkeypatch
):
    from keras_explainer.export import saved_model
    from keras_explainer.export.networks import Networks

    head = Networks._head

    def wrong(self, target):
        return {name: value * 1.001 for name, value in head(self, target).items()}

    monkeypatch.setattr(Networks, "_head", wrong)
    with pytest.raises(ExportError, match=r"differs by 0.001\d? of the largest value"):
        saved_model(plain_explainer, tmp_path / "models" / "small")
    assert list(tmp_path.iterdir()) == []


def test_a_contribution_at_a_jump_is_looked_at_closer(reference, answers, monkeypatch):
    """What images darker by a millionth do not show, another share may."""
    name = "explain_contributions"
    given = answers[name]["ordinary_contribution"]
    scale = shared_scale(reference.parts[name])
    changed = {"ordinary_contribution": given + 3e-3 * scale}
    assert not agreement(reference, answers).contributions_differ
    found = agreement(reference, answers, name, **changed)
    assert found.contributions_differ
    # As if it were rounding that does it: half of that is seen, four times it accepted.
    looked = []
    values = reference.parts[name]
    jumped = values["ordinary_contribution"] + 1.5e-3 * scale
    monkeypatch.setattr(reference, "_explained", looked.append)
    monkeypatch.setattr(
        reference,
        "_filter_values",
        lambda _: {**values, "ordinary_contribution": jumped},
    )
    # Put back at the end.
    monkeypatch.setattr(reference, "shared_rounding", reference.shared_rounding)
    reference.look_closer()
    shares = [1 - np.nanmean(one / reference.images[:2]) for one in looked]
    assert shares == pytest.approx(ALSO_DARKER, rel=0.2)
    assert reference.shared_rounding == pytest.approx(1.5e-3, rel=1e-2)
    assert not agreement(reference, answers, name, **changed).contributions_differ


def test_a_second_process_that_fails(verified, plain_explainer, tmp_path, monkeypatch):
    from keras_explainer.export import saved_model, verification

    script = tmp_path / "fails.py"
    script.write_text("import sys; sys.exit('no room')")
    monkeypatch.setattr(verification, "_SCRIPT", script)
    with pytest.raises(ExportError, match=r"exit status 1\): no room. Nothing was"):
        saved_model(plain_explainer, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_a_graph_that_needs_python_is_refused(reference, answers):
    from keras_explainer.export.verification import _check

    told = {"operations": ["Conv2D", "EagerPyFunc"]}
    with pytest.raises(ExportError, match="EagerPyFunc: a layer of the teacher"):
        _check(agreement(reference, answers), told)


@pytest.mark.one_backend
def test_sample_images(small_teacher, tmp_path):
    shape = small_teacher.input_shape
    drawn = SampleImages.of(small_teacher, None)
    np.testing.assert_array_equal(drawn.pixels, generated(8, shape))
    assert drawn.facts()["source"] == "generated"
    small_teacher.check_images(drawn.pixels)
    given = SampleImages.of(small_teacher, make_images(20))
    np.testing.assert_array_equal(given.pixels, make_images(20)[:8])
    (tmp_path / "b").mkdir()
    for at, image in enumerate(make_images(20)):
        Image.fromarray(image).save(tmp_path / "b" / f"{at:02}.png")
    (tmp_path / "b" / "00.png").write_text("no image")
    found = SampleImages.of(small_teacher, tmp_path)
    assert len(found.pixels) == len(found.files) == 8
    np.testing.assert_array_equal(found.pixels[0], make_images(20)[2])
    (tmp_path / "none").mkdir()
    for wrong in (tmp_path / "nowhere", tmp_path / "none", np.zeros((2, 9, 9, 3))):
        with pytest.raises(DataError):
            SampleImages.of(small_teacher, wrong)
