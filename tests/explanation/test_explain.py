"""`explain` against a slow reference, computed image by image from the maps."""

from __future__ import annotations

import gc
import json
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_explainer.explainer import load
from keras_explainer.explanation import explain, iter_explanations
from keras_explainer.explanation.ranking import mean_activations, rank, scales
from keras_explainer.results import Explanation, Explanations

LABELS = ["cat", "dog", "cow", "owl", "<b>eel</b>"]
SILENT = 2


def reference(explainer, teacher, image):
    """Cells, positions, strengths, ranks and scores of one image, loop by loop."""
    tap, targets = teacher.extract(image[None])
    outputs = explainer(ops.convert_to_tensor(tap), training=False)
    maps = ops.convert_to_numpy(outputs["maps"])[0].astype("float64")
    height, width, filters = maps.shape
    found = []
    for f in range(filters):
        best, cell = 0.0, None
        for i in range(height):
            for j in range(width):
                if maps[i, j, f] > best:
                    best, cell = maps[i, j, f], (i, j)
        position = (
            None
            if cell is None
            else ((cell[0] + 0.5) * 32 / height, (cell[1] + 0.5) * 40 / width)
        )
        found.append((f, best, cell, position))
    scores = [
        ops.convert_to_numpy(teacher.head(ops.convert_to_tensor(x))["outputs"])[0]
        for x in (targets["top"], outputs["reconstructions"]["top"])
    ]
    return found, scores


def test_findings(explainer, teacher, images):
    explanations = explainer.explain(images, batch_size=3, verbose=0)
    assert isinstance(explanations, Explanations)
    assert len(explanations) == 7
    scale = scales(mean_activations(explainer))
    for index, (item, image) in enumerate(zip(explanations, images, strict=True)):
        found, (given, again) = reference(explainer, teacher, image)
        assert item.index == index
        assert item.image is None
        assert (item.image_size, item.map_size) == ((32, 40), (8, 10))
        assert item.beta == explainer.recipe.beta
        assert item.share == explainer.share
        assert item.filters == len(item.parts) == 6
        for f, strength, cell, position in found:
            part = item.part(f)
            assert part.cell == cell
            assert part.position == pytest.approx(position)
            assert part.present == (cell is not None)
            assert part.strength == pytest.approx(strength, rel=1e-5)
            assert part.relative_strength == pytest.approx(
                strength / scale[f], rel=1e-5
            )
            assert (part.name, part.contribution, part.other_cells) == (None, None, ())
        order = sorted(found, key=lambda x: (x[2] is None, -x[1] / scale[x[0]], x[0]))
        assert [part.filter for part in item.parts] == [x[0] for x in order]

        top, own = int(given.argmax()), int(again.argmax())
        assert item.answer.class_index == item.reconstruction.class_index == top
        assert item.reconstruction_answer.class_index == own
        assert item.answer.label == LABELS[top]
        assert item.answer.score == pytest.approx(given[top], rel=1e-4)
        assert item.reconstruction.score == pytest.approx(again[top], rel=1e-4)
        assert item.reconstruction_answer.score == pytest.approx(again[own], rel=1e-4)


def test_answer_is_what_classify_gives(explainer, teacher, images):
    answer = teacher.classify(images)
    for row, item in enumerate(explain(explainer, images, verbose=0)):
        top = int(answer["outputs"][row].argmax())
        assert item.answer.class_index == top
        assert item.answer.score == pytest.approx(answer["outputs"][row, top], rel=1e-4)
        assert item.answer.logit == pytest.approx(answer["logits"][row, top], abs=1e-4)


def test_silent_filters(explainer, images):
    for item in explain(explainer, images, verbose=0):
        part = item.part(SILENT)
        assert part is item.parts[-1]
        assert not part.present
        assert part.strength == part.relative_strength == 0
        assert part.cell is part.position is part.box is None
        assert not item.masks()[-1].any()


def test_masks_are_those_of_the_network(explainer, teacher, images):
    explanations = explain(explainer, images, verbose=0)
    tap, _ = teacher.extract(images)
    maps = explainer.encoder(ops.convert_to_tensor(tap), training=False)["maps"]
    expected = ops.convert_to_numpy(explainer.encoder.conv_2.part_mask.mask(maps))
    for item, masks in zip(explanations, expected, strict=True):
        for part, mask in zip(item.parts, item.masks(), strict=True):
            if part.present:
                np.testing.assert_allclose(mask, masks[..., part.filter], atol=1e-6)


def test_several_peaks(make_explainer, teacher, images):
    explainer = make_explainer(peaks=3, beta=6.0)
    explanations = explain(explainer, images, verbose=0)
    tap, _ = teacher.extract(images)
    tensor = explainer.encoder(ops.convert_to_tensor(tap), training=False)["maps"]
    layer = explainer.encoder.conv_2.part_mask
    expected = ops.convert_to_numpy(layer.mask(tensor))
    maps = ops.convert_to_numpy(tensor)
    several = 0
    for item, masks, values in zip(explanations, expected, maps, strict=True):
        for part, mask in zip(item.parts, item.masks(), strict=True):
            peaks = np.argwhere(masks[..., part.filter] == 1)
            real = [tuple(c) for c in peaks if values[(*c, part.filter)] > 0]
            assert sorted(part.cells) == real
            several += len(real) == 3
            if len(real) == 3:
                np.testing.assert_allclose(mask, masks[..., part.filter], atol=1e-6)
            if real:
                strongest = max(real, key=lambda c: values[(*c, part.filter)])
                assert part.cell == strongest
    assert several > 10


def test_k(explainer, images):
    everything = explain(explainer, images, verbose=0)
    for k in (1, np.int64(3)):
        for few, item in zip(
            explain(explainer, images, k=k, verbose=0), everything, strict=True
        ):
            assert few.parts == item.parts[:k]
            assert few.filters == 6
    # Never a part that is not there.
    for item in explain(explainer, images, k=100, verbose=0):
        assert item.parts == item.present
        assert SILENT not in [part.filter for part in item.parts]


def test_metadata_and_json(explainer, teacher, images, tmp_path):
    explanations = explain(explainer, images, verbose=0)
    assert explanations.teacher == "small"
    assert explanations.tap == "tap"
    assert explanations.fingerprint == teacher.fingerprint
    assert explanations.share == explainer.share
    assert explanations.filters == 6
    explanations.save_json(tmp_path / "e.json")
    assert Explanations.load_json(tmp_path / "e.json") == explanations
    json.dumps(explanations[0].to_dict(), allow_nan=False)
    assert "&lt;b&gt;eel" in explanations._repr_html_() or all(
        item.answer.class_index != 4 for item in explanations
    )


def test_one_by_one_is_the_same(explainer, images):
    together = explain(explainer, images, verbose=0)
    stream = iter_explanations(explainer, images, batch_size=2)
    assert isinstance(next(stream), Explanation)
    assert len(list(stream)) == 6
    again = explain(explainer, images, verbose=0)
    assert again == together


def test_memory_is_bounded_and_the_teacher_runs_once(
    explainer, teacher, images, monkeypatch
):
    batches = []
    extract = type(teacher).extract

    def spy(self, given, **arguments):
        batches.append(len(given))
        return extract(self, given, **arguments)

    def never(*_, **__):
        raise AssertionError("the teacher must not run again")

    monkeypatch.setattr(type(teacher), "extract", spy)
    monkeypatch.setattr(type(teacher), "classify", never)
    stream = iter_explanations(explainer, images, batch_size=3)
    assert batches == []
    next(stream)
    assert batches == [3]
    assert len(list(stream)) == 6
    assert batches == [3, 3, 1]


def test_progress(explainer, images, capsys):
    explain(explainer, images, batch_size=2, verbose=1)
    assert "7/7" in capsys.readouterr().out
    explain(explainer, images, verbose=0)
    explain(explainer, images, verbose="auto")  # no terminal here
    assert capsys.readouterr().out == ""


def test_an_explainer_that_has_not_learned_is_told(make_explainer, images, caplog):
    explainer = make_explainer()
    explain(explainer, images[:1], verbose=0)
    assert "not learned" not in caplog.text
    explainer.statistics.started.assign(0.0)
    explain(explainer, images[:1], verbose=0)
    assert "not learned yet" in caplog.text


def test_mixed_precision(make_explainer, images):
    explainer = make_explainer(dtype="mixed_bfloat16")
    for item in explain(explainer, images, verbose=0):
        assert len(item.present) == 5
        assert np.isfinite([part.strength for part in item.parts]).all()


def test_mean_activations(make_explainer, teacher, images):
    """After learning it is the mean of the masked maps over images and cells."""
    explainer = make_explainer(norm_momentum=0.5)
    tap, _ = teacher.extract(images)
    outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
    masked = ops.convert_to_numpy(outputs["part_maps"])
    expected = masked.mean((0, 1, 2))
    explainer.encoder.norm_interpretable.set_alpha([0.5, 1, 1e-5, 2, 3, 1e-5])
    np.testing.assert_allclose(
        mean_activations(explainer), [0.5, 1, 0, 2, 3, 0], rtol=1e-6
    )
    explainer.measure_tracks(explainer.features(images))
    np.testing.assert_allclose(mean_activations(explainer), expected, rtol=1e-4)
    assert mean_activations(explainer)[SILENT] == 0


def test_scales():
    np.testing.assert_allclose(scales(np.array([1.0, 3.0, 0.0, 9.0])), [4, 6, 3, 12])
    np.testing.assert_array_equal(scales(np.zeros(3)), 1)


def test_rank():
    relative = np.array([1.0, 5.0, 0.0, 5.0, 0.0, 2.0])
    present = np.array([True, True, False, True, True, True])
    assert rank(relative, present).tolist() == [1, 3, 5, 0, 4, 2]


def test_ranks_do_not_depend_on_the_units_of_all_filters(make_explainer, images):
    """Ten times larger maps, with norms that know it, give the same ranks."""
    explainer = make_explainer()
    explainer.measure_tracks(explainer.features(images))
    before = explain(explainer, images, contributions=None, verbose=0)
    conv = explainer.encoder.conv_2.conv
    conv.set_weights([10 * weight for weight in conv.get_weights()])
    explainer.measure_tracks(explainer.features(images))
    after = explain(explainer, images, contributions=None, verbose=0)
    for old, new in zip(before, after, strict=True):
        assert [part.filter for part in old.parts] == [p.filter for p in new.parts]
        for one, two in zip(old.parts, new.parts, strict=True):
            assert two.strength == pytest.approx(10 * one.strength, rel=1e-4)
            assert two.relative_strength == pytest.approx(
                one.relative_strength, rel=1e-3
            )


def test_saved_and_loaded(make_explainer, teacher, images, tmp_path):
    explainer = make_explainer()
    explainer.measure_tracks(explainer.features(images))
    expected = explain(explainer, images, verbose=0)
    explainer.save(tmp_path / "small.keras")
    found = load(tmp_path / "small.keras", teacher=teacher).explain(images, verbose=0)
    for one, two in zip(expected, found, strict=True):
        for old, new in zip(one.parts, two.parts, strict=True):
            assert (old.filter, old.cell, old.box) == (new.filter, new.cell, new.box)
            assert old.relative_strength == pytest.approx(
                new.relative_strength, rel=1e-5
            )


def test_what_is_compiled_lasts_and_does_not_keep_the_explainer(
    make_explainer, images, monkeypatch
):
    explainer = make_explainer()
    traced = []
    head = type(explainer.teacher).head

    def spy(self, target):
        traced.append(len(target.shape))
        return head(self, target)

    monkeypatch.setattr(type(explainer.teacher), "head", spy)
    explain(explainer, images, batch_size=4, verbose=0)
    first = len(traced)
    explain(explainer, images, batch_size=4, verbose=0)
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert len(traced) == first

    gone = weakref.ref(explainer)
    del explainer
    gc.collect()
    assert gone() is None
