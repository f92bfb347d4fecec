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
from keras_explainer.explanation.affine_start import AffineStart
from keras_explainer.teachers import Teacher

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


def test_more_steps_are_more_complete(measured, images):
    errors = [
        np.median(
            [
                item.contributions.relative_error
                for item in measured.explain(images, steps=steps, verbose=0)
            ]
        )
        for steps in (1, 8, 128)
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


@pytest.mark.one_backend
def test_the_baseline_itself_has_nothing_to_share(teacher, images):
    """Images that are all alike are their own mean."""
    explainer = Explainer(teacher, filters=F, recipe="single", decoder="conv")
    same = np.repeat(images[:1], 4, axis=0)
    explainer.measure_tracks(explainer.features(same))
    item = explainer.explain(same[:1], verbose=0)[0]
    assert np.abs(shares(item)).max() < 1e-4
    assert abs(item.contributions.change) < 1e-4


@pytest.fixture(scope="module")
def normalised_teacher():
    """Padding, depthwise conv, normalisation, then the first activation."""
    zeros = {"kernel_initializer": "zeros"}
    layers = keras.layers
    x = image = keras.Input((16, 12, 3))
    x = layers.Conv2D(5, 3, 2, padding="same", activation="relu", name="tap", **zeros)(
        x
    )
    x = layers.ZeroPadding2D(1, name="pad")(x)
    x = layers.DepthwiseConv2D(3, 2, name="deep", depthwise_initializer="zeros")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(6.0, name="relu")(x)
    x = layers.Conv2D(7, 1, activation="relu", name="high", **zeros)(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    x = layers.Dense(4, activation="softmax", name="answer", **zeros)(x)
    model = keras.Model(image, x, name="normalised")
    random = np.random.default_rng(0)
    for weight in model.weights:
        value = random.normal(size=weight.shape)
        if weight.name in ("gamma", "moving_variance"):
            value = 1 + 0.2 * np.abs(value)
        weight.assign(value)
    return Teacher(model, tap="tap", targets=["relu", "high"], preprocessing="unit")


def test_the_affine_beginning_of_a_copy(normalised_teacher):
    explainer = Explainer(
        normalised_teacher, filters=F, recipe="single", decoder="teacher_copy"
    )
    encoding = np.random.default_rng(0).normal(size=(3, 8, 6, F)).astype("float32")
    for target in ("relu", "high"):
        start = AffineStart(explainer.decoder, target)
        found = start.after(start.before(ops.convert_to_tensor(encoding)))
        expected = explainer.decode(ops.convert_to_tensor(encoding))[target]
        np.testing.assert_allclose(
            ops.convert_to_numpy(found), ops.convert_to_numpy(expected), atol=1e-4
        )
    # It ends where the ReLU begins, and is affine.
    assert start.graph.values[start.cut].shape[1:] == (4, 3, 5)
    one, two = (start.before(ops.convert_to_tensor(s * encoding)) for s in (1, 3))
    nothing = start.before(ops.convert_to_tensor(0 * encoding))
    np.testing.assert_allclose(
        ops.convert_to_numpy(two - nothing),
        3 * ops.convert_to_numpy(one - nothing),
        rtol=1e-3,
        atol=1e-3,
    )


@pytest.mark.one_backend
def test_contributions_through_a_copy_are_complete(normalised_teacher):
    explainer = Explainer(
        normalised_teacher, filters=F, recipe="single", decoder="teacher_copy"
    )
    images = np.random.default_rng(1).integers(0, 256, (6, 16, 12, 3)).astype("uint8")
    explainer.measure_tracks(explainer.features(images))
    for item in explainer.explain(images[:3], steps=128, verbose=0):
        assert abs(item.contributions.completeness_error) < 0.01 + 0.01 * abs(
            item.contributions.change
        )
        assert item.contributions.change == pytest.approx(
            item.reconstruction.logit - item.contributions.baseline, abs=1e-3
        )


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
        ({"contributions": "gradients"}, "integrated_gradients.*Nearest"),
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
