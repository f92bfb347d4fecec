"""Encoder and decoders as layers, and learned on teachers of many kinds."""

from __future__ import annotations

import archetypes
import keras
import numpy as np
import pytest
from keras import ops
from quick import learned, made
from small_teacher import make_teacher
from test_case import TestCase, noise, to_numpy

import keras_explainer as kx
from keras_explainer.errors import ConfigError
from keras_explainer.explainer.decoders import (
    ConvDecoder,
    FCDecoder,
    TeacherCopyDecoder,
)
from keras_explainer.explainer.encoder import Encoder
from keras_explainer.layers import SplitDense
from keras_explainer.teachers import Teacher

one_backend = pytest.mark.one_backend


class TestEncoder(TestCase):
    @pytest.mark.parametrize(
        "options, side",
        [
            pytest.param({"peaks": 2}, (5, 7), marks=one_backend),
            ({"pool_size": 2, "ordinary_kernel_size": 3, "ordinary_drop": 0.5}, (2, 3)),
        ],
        ids=["plain", "pooled"],
    )
    def test_layer(self, options, side):
        maps, track = (4, 5, 7, 3), (4, *side, 3)
        self.run_layer_test(
            Encoder(filters=3, **options),
            inputs=np.maximum(noise((4, 5, 7, 6)), 0),
            expected_output_shape={
                "maps_1": maps,
                "maps": maps,
                "part_maps": maps,
                "interpretable": track,
                "ordinary": track,
                "encoding": track,
            },
            trainable_weights=7,
            non_trainable_weights=4,
            float32_state=(
                "gate.share_weight",
                "norm_interpretable.alpha",
                "norm_ordinary.alpha",
            ),
            agreeing=0.8,
            # The drop is random, and differs between compiled and eager.
            jit=not options.get("ordinary_drop"),
        )

    def test_drop_takes_the_ordinary_track_from_a_share_of_the_images(self):
        encoder = Encoder(filters=3, ordinary_drop=0.5, initial_share=0.01)
        features = np.maximum(noise((64, 5, 7, 6)), 0)
        outputs = encoder(features, training=True)
        ordinary = to_numpy(outputs["ordinary"])
        mixed = (
            to_numpy(outputs["encoding"]) - 0.01 * to_numpy(outputs["interpretable"])
        ) / 0.99
        kept = np.isclose(mixed, ordinary, atol=1e-4).all((1, 2, 3))
        mean = np.broadcast_to(ordinary.mean(0), ordinary.shape)
        replaced = np.isclose(mixed, mean, atol=1e-4).all((1, 2, 3))
        assert (kept ^ replaced).all() and 0.3 < kept.mean() < 0.7
        plain = encoder(features, training=False)
        np.testing.assert_allclose(
            to_numpy(plain["encoding"]),
            0.01 * to_numpy(plain["interpretable"])
            + 0.99 * to_numpy(plain["ordinary"]),
            atol=1e-4,
        )


@one_backend
class TestFCDecoder(TestCase):
    def test_layer(self):
        self.run_layer_test(
            FCDecoder({"a": 5, "b/c": 3}, {"a": "relu", "b/c": "linear"}),
            (3, 4, 5, 2),
            expected_output_shape={"a": (3, 5), "b/c": (3, 3)},
            trainable_weights=4,
            non_trainable_weights=0,
        )

    def test_one_on_top_of_the_other(self):
        decoder = FCDecoder({"a": 5, "b": 3}, {"a": "relu", "b": "linear"})
        x = noise((3, 4, 5, 2))
        outputs = decoder(x)
        k1, b1, k2, b2 = decoder.get_weights()
        first = np.maximum(x.reshape(3, -1) @ k1 + b1, 0)
        np.testing.assert_allclose(to_numpy(outputs["a"]), first, atol=1e-4)
        np.testing.assert_allclose(to_numpy(outputs["b"]), first @ k2 + b2, atol=1e-4)

    def test_a_wide_layer_moves_as_far_as_one_of_the_width_given(self):
        """One step of Adam changes the sum over inputs of 1 by the rate times 10."""
        decoder = FCDecoder({"a": 2}, {"a": "linear"}, widest=10)
        x = np.ones((1, 4, 5, 2), "float32")
        decoder.build((None, 4, 5, 2))
        decoder.set_dense("a", np.full((40, 2), 0.5, "float32"), np.zeros(2))
        np.testing.assert_allclose(to_numpy(decoder(x)["a"]), 20.0, rtol=1e-5)
        kernel = decoder.dense[0].kernel
        kernel.assign(kernel + 0.001)
        np.testing.assert_allclose(to_numpy(decoder(x)["a"]), 20.01, rtol=1e-5)


@one_backend
class TestConvDecoder(TestCase):
    @pytest.mark.parametrize(
        "shapes, width",
        [
            ({"a": (6, 8, 4), "b": (3, 4, 5), "c": (7,)}, 6),
            ({"a": (5, 3, 4)}, None),
            ({"a": (12, 16, 3)}, None),
            ({"a": (7,), "b": (1, 1, 3)}, None),
        ],
        ids=str,
    )
    def test_layer(self, shapes, width):
        self.run_layer_test(
            ConvDecoder(shapes, dict.fromkeys(shapes, "linear"), width),
            (3, 6, 8, 2),
            expected_output_shape={name: (3, *shape) for name, shape in shapes.items()},
            trainable_weights=4 * len(shapes),
            non_trainable_weights=0,
            jit=len(shapes) > 2,
        )


@one_backend
class TestTeacherCopyDecoder(TestCase):
    @pytest.mark.parametrize("train", [False, True])
    def test_layer(self, train):
        copy = make_teacher(targets=("top", "gap")).copy_upper(train)
        self.run_layer_test(
            TeacherCopyDecoder(copy, adapter_size=3, train_copy=train),
            (3, 6, 8, 4),
            expected_output_shape={"top": (3, 3, 4, 16), "gap": (3, 16)},
            trainable_weights=4 if train else 2,
            non_trainable_weights=0 if train else 2,
            # Copied layers keep the precision that the teacher has them in.
            float32_state=("copy",),
            float32_output=True,
        )

    def test_it_starts_as_the_teachers_own_layers(self):
        teacher = make_teacher()
        decoder = TeacherCopyDecoder(teacher.copy_upper(False))
        decoder.build((None, 6, 8, 12))
        decoder.adapter.set_weights([np.eye(12)[None, None], np.zeros(12)])
        tap = np.maximum(noise((3, 6, 8, 12)), 0)
        expected = teacher.upper(ops.convert_to_tensor(tap))["top"]
        np.testing.assert_allclose(
            to_numpy(decoder(tap)["top"]), to_numpy(expected), atol=1e-5
        )

    def test_batch_statistics_stay_the_teachers(self):
        model = archetypes.build("residual")
        teacher = Teacher(model, "block2_out", ["block3_out"], preprocessing="caffe")
        decoder = TeacherCopyDecoder(teacher.copy_upper(True), train_copy=True)
        features = noise((3, *teacher.tap_shape[:2], 4))
        decoder(features, training=True)
        before = [to_numpy(v) for v in decoder.non_trainable_variables]
        assert before
        outputs = [decoder(features, training=t)["block3_out"] for t in (True, False)]
        np.testing.assert_array_equal(*(to_numpy(output) for output in outputs))
        for old, new in zip(before, decoder.non_trainable_variables, strict=True):
            np.testing.assert_array_equal(to_numpy(new), old)


VECTORS = {"hidden": (10, 7), "targets": ("fc1", "fc2")}
MIXED = {"targets": ("top", "gap")}


@pytest.mark.parametrize(
    "options, decoder, kind",
    [
        pytest.param({}, None, TeacherCopyDecoder, marks=one_backend),
        ({}, "conv", ConvDecoder),
        (VECTORS, "fc", FCDecoder),
        pytest.param(VECTORS, "conv", ConvDecoder, marks=one_backend),
        pytest.param(VECTORS, None, TeacherCopyDecoder, marks=one_backend),
        pytest.param(MIXED, None, TeacherCopyDecoder, marks=one_backend),
        pytest.param(MIXED, "conv", ConvDecoder, marks=one_backend),
    ],
    ids=str,
)
def test_decoder_of_a_teacher(images, options, decoder, kind):
    teacher = make_teacher(**options)
    # Dense layers start from what fits these few images all but exactly.
    epochs = 10 if decoder == "fc" else 3
    explainer = learned(teacher, images, decoder=decoder, fit={"epochs": epochs})
    assert type(explainer.decoder) is kind
    history = explainer.history.history
    assert (
        np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
    )
    found = explainer.predict(images[:5], verbose=0)["reconstructions"]
    assert {k: v.shape[1:] for k, v in found.items()} == teacher.target_shapes
    assert [f"explained_variance_{name}" in history for name in teacher.targets]


@one_backend
@pytest.mark.parametrize(
    "options, kind", [(VECTORS, FCDecoder), ({}, TeacherCopyDecoder)]
)
def test_decoder_of_the_papers_recipe(options, kind):
    """The paper's dense layers, where there are dense layers to reconstruct."""
    assert type(made(make_teacher(**options), recipe="paper").decoder) is kind


@one_backend
def test_decoder_of_a_pooled_encoding():
    """Too small for a copy of the teacher's layers, and no matter to dense ones."""
    assert type(made(make_teacher(**VECTORS), pool_size=2).decoder) is FCDecoder


@one_backend
def test_outputs_have_the_sign_of_their_target():
    """A target after ReLU gets a decoder that ends in ReLU; a signed one does not."""
    relu = made(make_teacher(), decoder="conv").decoder
    assert relu.activations == {"top": "relu"}
    model = archetypes.build("nested_sequential")
    signed = Teacher(model, "block1_out", ["block2_out"], preprocessing="unit")
    assert made(signed, decoder="conv").decoder.activations == {"block2_out": "linear"}


@one_backend
def test_a_teacher_without_head(images):
    explainer = learned(make_teacher(answer=None), images)
    history = explainer.history.history
    for name in ("kl", "top1_agreement", "logits_loss", "explained_variance_logits"):
        assert name not in history
    assert np.isfinite(list(history.values())).all()
    figures = explainer.evaluate(images, verbose=0, return_dict=True)
    assert figures["explained_variance_top"] > 0


@one_backend
def test_a_sigmoid_head(images):
    explainer = learned(make_teacher(answer="sigmoid"), images)
    history = explainer.history.history
    assert "kl" not in history  # no distribution over classes
    assert {"top1_agreement", "logits_loss", "explained_variance_logits"} <= set(
        history
    )
    assert np.isfinite(list(history.values())).all()


@one_backend
def test_a_linear_head(images):
    explainer = learned(make_teacher(answer="linear"), images)
    history = explainer.history.history
    assert "kl" not in history and "top1_agreement" not in history
    assert {"logits_loss", "explained_variance_logits"} <= set(history)


VARIED = (
    "depthwise",
    "nested_sequential",
    "inception",
    "squeeze_excite",
    "five_channels",
    "mixed_precision",
    "two_answers",
)


@keras.saving.register_keras_serializable(package="test_decoders")
class OwnDecoder(keras.layers.Layer):
    """A user's decoder: one strided conv."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = keras.layers.Conv2D(16, 3, 2, padding="same")

    def build(self, shape):
        self.conv.build(shape)

    def call(self, encoding):
        return {"top": self.conv(encoding)}


@one_backend
def test_a_users_own_decoder(small_teacher, images, tmp_path):
    from keras_explainer.explainer import load

    explainer = learned(small_teacher, images, decoder=OwnDecoder())
    assert np.isfinite(explainer.history.history["loss"]).all()
    explainer.save(tmp_path / "own.keras")
    loaded = load(tmp_path / "own.keras", small_teacher)
    assert type(loaded.decoder) is OwnDecoder
    found, expected = (
        one.predict(images[:3], verbose=0)["reconstructions"]["top"]
        for one in (loaded, explainer)
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


@one_backend
@pytest.mark.parametrize(
    "give, message",
    [
        (lambda x: x, "dict of"),
        (lambda x: {"tops": x[:, :3, :4]}, "'top'"),
        (lambda x: {"top": x}, r"\(6, 8, 6\)"),
        (lambda x: {"top": ops.concatenate([x, x[:, :2]], -1)}, "does not take"),
    ],
    ids=["no dict", "wrong name", "wrong shape", "fails"],
)
def test_a_decoder_that_does_not_fit(small_teacher, give, message):
    class Wrong(keras.layers.Layer):
        def call(self, encoding):
            return give(encoding)

    with pytest.raises(ConfigError, match=message):
        made(small_teacher, decoder=Wrong())


@one_backend
@pytest.mark.parametrize(
    "name",
    [
        name if name in VARIED else pytest.param(name, marks=pytest.mark.slow)
        for name in archetypes.ARCHETYPES
    ],
)
def test_teachers_of_many_kinds(name):
    """Signed taps, ReLU6, nested, shared layers, five channels, sigmoid, no head, …"""
    teacher = Teacher(
        archetypes.build(name),
        archetypes.TAP[name],
        archetypes.TARGETS[name],
        preprocessing=archetypes.PREPROCESSING[name],
    )
    pictures = archetypes.images(name, 12)
    explainer = learned(teacher, pictures, views=2, filters=5, fit={"batch_size": 6})
    history = explainer.history.history
    assert np.isfinite(list(history.values())).all(), history
    found = explainer.predict(pictures[:2], verbose=0)
    assert found["part_maps"].shape == (2, *teacher.tap_shape[:2], 5)
    assert {k: v.shape[1:] for k, v in found["reconstructions"].items()} == (
        teacher.target_shapes
    )


@one_backend
def test_a_copy_splits_large_dense_layers():
    """As `build_decoder` makes it: their place is `SplitDense`'s, all else the same."""
    teacher = Teacher(
        archetypes.build("fully_connected"),
        archetypes.TAP["fully_connected"],
        archetypes.TARGETS["fully_connected"],
        preprocessing=archetypes.PREPROCESSING["fully_connected"],
    )
    explainer = kx.Explainer(teacher, filters=16, recipe="single")
    kinds = {type(layer) for layer in explainer.decoder.copy.layers}
    assert SplitDense in kinds and keras.layers.Dense not in kinds
    tap = np.maximum(noise((3, *teacher.tap_shape)), 0)
    found, expected = explainer.decoder.copy(tap), teacher.upper(tap)
    for name in teacher.targets:
        np.testing.assert_allclose(
            to_numpy(found[name]), to_numpy(expected[name]), atol=1e-5
        )
