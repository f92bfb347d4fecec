"""Contributions against slow float64 versions, and what must hold of any network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from float64_network import float64_network, float64_shares
from keras import ops
from reference import contributions as reference

from keras_explainer.errors import ConfigError
from keras_explainer.explainer import Explainer
from keras_explainer.explainer.warm_start import start_norms
from keras_explainer.explanation import explain
from keras_explainer.explanation.path_gradients import TRACKS, PathGradients
from keras_explainer.explanation.shapley import shapley

F = 6


@pytest.fixture(scope="module")
def network(measured, teacher, images):
    return float64_network(measured, teacher, images)


def shares(item):
    by_filter = [item.part(f).contribution for f in range(F)]
    return np.array([*by_filter, item.contributions.ordinary])


def test_integrated_gradients(measured, images, network):
    logits, tracks, means = network
    found = measured.explain(images[:2], steps=4, verbose=0)
    for row, item in enumerate(found):
        shown = item.explained.class_index
        expected = float64_shares(network, row, shown, 4)
        np.testing.assert_allclose(shares(item), expected, rtol=2e-3, atol=2e-5)
        shared = item.contributions
        assert shared.method == "integrated_gradients"
        assert shared.steps == 4
        assert shared.filters == pytest.approx(expected[:-1].sum(), abs=1e-3)
        assert shared.baseline == pytest.approx(logits(*means)[shown], abs=1e-4)
        change = logits(tracks[0][row], tracks[1][row])[shown] - logits(*means)[shown]
        assert shared.change == pytest.approx(change, abs=1e-4)
        assert shared.completeness_error == pytest.approx(
            expected.sum() - change, abs=1e-3
        )
    assert np.abs(shares(found[0])[:-1]).max() > 0.004


def test_what_lies_in_a_part_s_area(measured, images, network):
    """The cells where its mask is at least a half, as both tracks read them."""
    logits, tracks, means = network
    item = measured.explain(images[:1], steps=2, verbose=0)[0]
    shown = item.explained.class_index
    cells = reference.cell_gradients(
        lambda a, b: logits(a, b)[shown], [track[0] for track in tracks], means, 2
    )
    rows, columns = np.indices(cells.shape)
    size = np.abs(cells).max()
    for part in item.parts:
        if part.cell is None:
            assert part.area_contribution is None
            continue
        away = np.abs(rows - part.cell[0]) + np.abs(columns - part.cell[1])
        expected = cells[1 - item.beta * away / 10 >= 0.5].sum()
        assert part.area_contribution == pytest.approx(expected, abs=1e-3 * size)
    assert max(abs(p.area_contribution or 0) for p in item.parts) > 0.1 * size
    ablated = measured.explain(images[:1], contributions="ablation", verbose=0)[0]
    assert ablated.parts[0].area_contribution is None


def test_ablation(measured, images, network):
    logits, tracks, means = network
    found = measured.explain(images[:3], contributions="ablation", verbose=0)
    for row, item in enumerate(found):
        shown = item.explained.class_index
        expected = reference.ablation(
            lambda a, b, c=shown: logits(a, b)[c],
            [track[row] for track in tracks],
            means,
        )
        np.testing.assert_allclose(shares(item), expected, rtol=1e-3, atol=1e-4)
        assert item.contributions.method == "ablation"


@pytest.mark.one_backend
def test_shapley_values(measured, images, network):
    """Few orders add up already; many come near the sum over all coalitions."""
    logits, tracks, means = network
    outputs = measured.encoder(
        ops.convert_to_tensor(measured.teacher.extract(images[:2])[0]), training=False
    )
    both = {name: ops.convert_to_numpy(outputs[name]) for name in TRACKS}
    classes = np.array([1, 3])
    few, many = (
        shapley(PathGradients.of(measured), both, classes, pairs=pairs, seed=5)
        for pairs in (1, 64)
    )
    assert few.steps.tolist() == [2 + 2 * F] * 2
    for row, shown in enumerate(classes):
        exact = reference.shapley(
            lambda a, b, c=shown: logits(a, b)[c],
            [track[row] for track in tracks],
            means,
        )
        size = np.abs(exact).max()
        away = [np.abs(found.shares[row] - exact).max() for found in (few, many)]
        assert away[1] < 0.01 * size
        assert away[1] < away[0]
        for found in (few, many):
            assert found.shares[row].sum() == pytest.approx(exact.sum(), abs=1e-4)


@pytest.mark.one_backend
def test_shapley_is_a_kind_of_contributions(measured, images):
    for item in measured.explain(images[:2], contributions="shapley", verbose=0):
        assert item.contributions.method == "shapley"
        assert item.contributions.relative_error < 1e-4
        assert not any("more steps" in warning for warning in item.warnings)


def test_more_steps_are_more_complete(measured, images):
    errors = [
        np.median(
            [
                item.contributions.relative_error
                for item in measured.explain(images, steps=steps, verbose=0)
            ]
        )
        for steps in (1, 8, 256)
    ]
    assert errors[2] < 2e-3
    assert errors[2] < errors[1] < errors[0]


@pytest.mark.one_backend
def test_a_tolerance_refines_the_images_that_need_it(measured, images):
    coarse = measured.explain(images, steps=2, verbose=0)
    wanted = float(np.median([i.contributions.relative_error for i in coarse]))
    found = measured.explain(images, steps=2, tolerance=wanted, verbose=0)
    fine = measured.explain(images, steps=6, verbose=0)
    steps = [item.contributions.steps for item in found]
    assert sorted(set(steps)) == [2, 6]
    for item, rough, good in zip(found, coarse, fine, strict=True):
        kept = rough.contributions.relative_error <= wanted
        np.testing.assert_allclose(
            shares(item), shares(rough if kept else good), rtol=1e-3, atol=1e-4
        )


@pytest.mark.one_backend
def test_batches_change_nothing(measured, images):
    expected = measured.explain(images, verbose=0)
    for size in (1, 3):
        found = measured.explain(images, batch_size=size, verbose=0)
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_allclose(shares(one), shares(two), rtol=1e-3, atol=1e-4)


@pytest.mark.one_backend
def test_ranked_by_contribution(measured, images):
    for item in measured.explain(images, verbose=0):
        given = [part.contribution for part in item.present]
        assert given == sorted(given, reverse=True)
        assert [p.present for p in item.parts] == sorted(
            [p.present for p in item.parts], reverse=True
        )
    for few, item in zip(
        measured.explain(images, k=2, verbose=0),
        measured.explain(images, verbose=0),
        strict=True,
    ):
        assert [p.filter for p in few.parts] == [p.filter for p in item.parts[:2]]
        # What was not kept is still counted.
        assert few.contributions.filters == pytest.approx(
            item.contributions.filters, rel=1e-4, abs=1e-5
        )


class LinearDecoder(keras.layers.Layer):
    """A linear map of the encoding."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        # Seeded: by chance the logit changes so little that rounding is all of it.
        start = keras.initializers.GlorotUniform(0)
        self.conv = keras.layers.Conv2D(
            channels, 3, 2, padding="same", kernel_initializer=start
        )

    def build(self, shape):
        self.conv.build(shape)

    def call(self, encoding, training=None):
        return {"top": self.conv(encoding)}


def test_a_linear_network_is_shared_out_exactly(teacher, images):
    """One step is enough, and ablation says the same."""
    explainer = Explainer(
        teacher, filters=F, recipe="single", decoder=LinearDecoder(12)
    )
    explainer.measure_tracks(explainer.features(images))
    found = explainer.explain(images[:3], 2, steps=1, verbose=0)
    ablated = explainer.explain(images[:3], 2, contributions="ablation", verbose=0)
    for item, other in zip(found, ablated, strict=True):
        assert item.contributions.relative_error < 1e-4
        np.testing.assert_allclose(shares(item), shares(other), rtol=1e-3, atol=1e-4)


class SquareDecoder(LinearDecoder):
    """Parts meet in twos, and in no greater number."""

    def call(self, encoding, training=None):
        return {"top": ops.square(self.conv(encoding))}


@pytest.mark.one_backend
def test_shapley_values_of_parts_that_meet_in_twos(teacher, images):
    """One order and its reverse are enough; they are integrated gradients then."""
    explainer = Explainer(
        teacher, filters=F, recipe="single", decoder=SquareDecoder(12)
    )
    tap = teacher.extract(images)[0]
    start_norms(explainer.encoder, tap)
    explainer.measure_tracks(explainer.features(images))
    outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
    both = {name: ops.convert_to_numpy(outputs[name]) for name in TRACKS}
    found = shapley(PathGradients.of(explainer), both, np.full(len(tap), 2), pairs=1)
    given = explainer.explain(images, 2, steps=1, verbose=0)
    ablated = explainer.explain(images, 2, contributions="ablation", verbose=0)
    for row, (item, other) in enumerate(zip(given, ablated, strict=True)):
        size = np.abs(shares(item)).max()
        assert np.abs(found.shares[row] - shares(item)).max() < 1e-3 * size
        # Ablation counts a meeting of two in full for each of them.
        least = np.abs(shares(item)[:-1]).max()
        assert np.abs(shares(other) - shares(item)).max() > 0.1 * least


@pytest.mark.one_backend
def test_the_baseline_itself_has_nothing_to_share(teacher, images):
    """Images that are all alike are their own mean."""
    explainer = Explainer(teacher, filters=F, recipe="single", decoder="conv")
    same = np.repeat(images[:1], 4, axis=0)
    explainer.measure_tracks(explainer.features(same))
    item = explainer.explain(same[:1], verbose=0)[0]
    assert np.abs(shares(item)).max() < 1e-4
    assert abs(item.contributions.change) < 1e-4


@pytest.mark.one_backend
def test_weights_are_read_anew(measured, teacher, images):
    """Compiled programs do not keep what was learned on."""
    explainer = Explainer(teacher, filters=F, recipe="single", decoder="conv")
    explainer.set_weights(measured.get_weights())
    before = explain(explainer, images[:2], verbose=0)
    explainer.encoder.gate.share_weight.assign(0.05)
    after = explain(explainer, images[:2], verbose=0)
    for one, two in zip(before, after, strict=True):
        assert np.abs(shares(one) - shares(two)).max() > 1e-3
        assert two.contributions.change == pytest.approx(
            two.reconstruction.logit - two.contributions.baseline, abs=1e-4
        )


def test_none_asked_for(measured, images):
    for item in measured.explain(images[:2], contributions=None, verbose=0):
        assert item.contributions is None
        assert item.no_contributions == "they were not asked for"
        assert item.parts[0].contribution is None


def test_no_baseline(explainer, images):
    item = explainer.explain(images[:1], verbose=0)[0]
    assert item.contributions is None
    assert "measure_tracks" in item.no_contributions


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contributions": "gradients"}, "integrated_gradients.*shapley.*Nearest"),
        ({"steps": 0}, "steps is a whole number from 1"),
        ({"steps": 2.5}, "steps is a whole number from 1"),
        ({"tolerance": 0}, "tolerance is a number above 0"),
        ({"tolerance": "small"}, "tolerance is a number above 0"),
        ({"class_index": 5}, r"class_index 5 is out of range.*0 to 4"),
        ({"class_index": -1}, "out of range"),
        ({"class_index": 1.0}, "index of one class or its label, got float"),
        ({"class_index": True}, "got bool"),
        ({"class_index": [1]}, "got list"),
        ({"class_index": "dogs"}, "no class with the label 'dogs'.*Nearest valid: dog"),
    ],
)
def test_refused(measured, images, arguments, message):
    with pytest.raises(ConfigError, match=message):
        measured.explain(images[:1], verbose=0, **arguments)


def test_a_class_of_ones_choice(measured, images):
    by_index = measured.explain(images[:2], 1, verbose=0)
    by_label = measured.explain(images[:2], "dog", verbose=0)
    own = measured.explain(images[:2], verbose=0)
    for one, two, three in zip(by_index, by_label, own, strict=True):
        assert one == two
        assert one.explained.class_index == one.reconstruction.class_index == 1
        assert one.explained.label == "dog"
        assert one.answer == three.answer == three.explained
        assert one.contributions.baseline != three.contributions.baseline
        assert one.logit_gap == pytest.approx(
            one.reconstruction.logit - one.explained.logit
        )


SETTINGS = {
    "bfloat16": {"dtype": "mixed_bfloat16", "decoder": "conv"},
    "bfloat16 copy": {"dtype": "mixed_bfloat16", "decoder": "teacher_copy"},
    "pooled": {"pool_size": 2, "decoder": "conv"},
    "several peaks": {"peaks": 3, "decoder": "conv"},
}


@pytest.mark.one_backend
@pytest.mark.parametrize("kind", SETTINGS)
def test_every_kind_of_explainer(kind, teacher, images):
    explainer = Explainer(teacher, filters=F, **{"recipe": "single", **SETTINGS[kind]})
    start_norms(explainer.encoder, teacher.extract(images)[0])
    explainer.measure_tracks(explainer.features(images))
    rough = 0.1 if "bfloat16" in kind else 0.01
    for item in explainer.explain(images[:3], steps=256, verbose=0):
        change = abs(item.contributions.change)
        assert abs(item.contributions.completeness_error) < rough * (change + 0.05)
        assert item.contributions.change == pytest.approx(
            item.reconstruction.logit - item.contributions.baseline, abs=1e-3
        )
