"""Decoders that are copies of a teacher's layers: taken apart into affine pieces."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from keras_explainer.explainer import Explainer
from keras_explainer.explanation.affine_start import AffineStart
from keras_explainer.explanation.integrated_gradients import integrated_gradients
from keras_explainer.explanation.path_gradients import TRACKS, PathGradients
from keras_explainer.teachers import Teacher

F = 6


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


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (6, 16, 12, 3)).astype("uint8")


@pytest.fixture(scope="module")
def copied(normalised_teacher, images):
    """Decoder and head: an affine start, a ReLU6, a conv with a ReLU, a head."""
    explainer = Explainer(
        normalised_teacher, filters=F, recipe="single", decoder="teacher_copy"
    )
    explainer.measure_tracks(explainer.features(images))
    return explainer


def attribution(programs, explainer, images, classes, steps):
    """Shares (n, F + 1), and the logits' changes."""
    tap = explainer.teacher.extract(images)[0]
    outputs = explainer.encoder(ops.convert_to_tensor(tap), training=False)
    tracks = {name: ops.convert_to_numpy(outputs[name]) for name in TRACKS}
    whole = programs.logits(tracks, np.ones((len(images), F + 1)), 32)
    changes = (whole - programs.baseline())[np.arange(len(images)), classes]
    found = integrated_gradients(programs, tracks, classes, changes, steps=steps)
    return found.shares, changes


@pytest.mark.parametrize("steps", [1, 5])
def test_secants_are_complete_in_any_number(copied, images, steps):
    for item in copied.explain(images, steps=steps, verbose=0):
        parts = [abs(part.contribution) for part in item.parts]
        scale = sum(parts) + abs(item.contributions.ordinary)
        # What float32 leaves of a difference of two logits.
        rounding = 1e-6 * abs(item.contributions.baseline)
        assert scale > 100 * rounding
        assert abs(item.contributions.completeness_error) < 1e-4 * scale + rounding
        assert item.contributions.change == pytest.approx(
            item.reconstruction.logit - item.contributions.baseline, abs=1e-3
        )


@pytest.mark.one_backend
def test_secants_come_to_integrated_gradients_sooner(copied, images):
    """The limit of both is the same: the gradient at many points."""
    classes = np.arange(len(images)) % 4
    by_points, by_secants = PathGradients(copied), PathGradients(copied)
    assert by_secants._pieces.known
    assert len(by_secants._pieces.bends) == 2
    by_points._pieces.known = False
    limit, changes = attribution(by_points, copied, images, classes, 1000)
    np.testing.assert_allclose(limit.sum(1), changes, atol=2e-3 * np.abs(limit).max())
    away = {
        name: np.abs(
            attribution(programs, copied, images, classes, 4)[0] - limit
        ).mean()
        for name, programs in (("points", by_points), ("secants", by_secants))
    }
    assert away["secants"] < 0.5 * away["points"]
    assert away["points"] > 1e-3 * np.abs(limit).max()


def copy_of(*upper):
    """An explainer whose decoder copies these layers, after a tap of 8 x 6 x 5."""
    x = image = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(5, 3, 2, padding="same", activation="relu", name="tap")(x)
    for layer in upper:
        x = layer(x)
    x = keras.layers.GlobalAveragePooling2D(name="gap")(x)
    x = keras.layers.Dense(3, activation="softmax", name="answer")(x)
    model = keras.Model(image, x, name="small")
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    teacher = Teacher(model, tap="tap", targets=["top"], preprocessing="unit")
    return Explainer(teacher, filters=F, recipe="single", decoder="teacher_copy")


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("upper", "known", "bends"),
    [
        (lambda: [keras.layers.Conv2D(4, 3, name="top")], True, 0),
        (lambda: [keras.layers.Conv2D(4, 3, activation="gelu", name="top")], True, 1),
        (lambda: [keras.layers.LeakyReLU(name="top")], True, 1),
        (lambda: [keras.layers.PReLU(name="top")], True, 1),
        (lambda: [keras.layers.Activation("tanh", name="top")], True, 1),
        (lambda: [keras.layers.MaxPooling2D(name="top")], True, 1),
        (lambda: [keras.layers.LayerNormalization(name="top")], False, 0),
        (lambda: [keras.layers.Softmax(name="top")], False, 0),
        (
            lambda: [keras.layers.Conv2D(4, 3, activation="log_softmax", name="top")],
            False,
            0,
        ),
    ],
)
def test_which_networks_are_taken_apart(upper, known, bends):
    found = PathGradients(copy_of(*upper()))._pieces
    assert found.known == known
    assert len(found.bends) == bends


def test_a_copy_without_activations(images):
    """One interval is the whole path."""
    explainer = copy_of(keras.layers.Conv2D(4, 3, name="top"))
    explainer.measure_tracks(explainer.features(images))
    given = explainer.explain(images[:2], steps=1, verbose=0)
    ablated = explainer.explain(images[:2], contributions="ablation", verbose=0)
    for one, other in zip(given, ablated, strict=True):
        shares, expected = (
            [item.part(f).contribution for f in range(F)] for item in (one, other)
        )
        size = np.abs(expected).max()
        assert size > 1e-3
        np.testing.assert_allclose(shares, expected, atol=1e-2 * size)


@pytest.mark.one_backend
def test_a_decoder_of_another_kind_is_left_whole(normalised_teacher):
    explainer = Explainer(
        normalised_teacher, filters=F, recipe="single", decoder="conv"
    )
    assert not PathGradients(explainer)._pieces.known


@pytest.mark.one_backend
def test_pools_and_dense_layers_are_complete_at_once(images):
    """A teacher as VGG is one: pools, hidden dense layers, a copy of both."""
    explainer = copy_of(
        keras.layers.MaxPooling2D(2, name="pool1"),
        keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv"),
        keras.layers.MaxPooling2D(3, 1, padding="same", name="pool2"),
        keras.layers.Conv2D(4, 2, activation="relu", name="top"),
    )
    explainer.measure_tracks(explainer.features(images))
    programs = PathGradients(explainer)
    assert programs._pieces.known and len(programs._pieces.bends) == 4
    classes = np.arange(len(images)) % 3
    shares, changes = attribution(programs, explainer, images, classes, 1)
    rounding = 1e-5 * np.abs(shares).max()
    np.testing.assert_allclose(shares.sum(1), changes, atol=rounding)
    by_points = PathGradients(explainer)
    by_points._pieces.known = False
    limits = [
        attribution(one, explainer, images, classes, 400)[0]
        for one in (programs, by_points)
    ]
    apart, away = (np.abs(limits[1] - one).max() for one in (limits[0], shares))
    assert apart < 0.3 * away and away < 0.02 * np.abs(limits[1]).max()
