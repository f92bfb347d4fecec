"""Taps and targets that are chosen when none are named."""

from __future__ import annotations

import archetypes
import keras
import pytest

from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher

layers = keras.layers

# Taps at stride 16 with 7 cells do not exist in such small images: the last cut with
# 7 cells or, without one, the last before the targets.
CHOSEN = {
    "plain": ("relu3", ["conv4"]),
    "sequential": ("conv2", ["conv3"]),
    "residual": ("block2_out", ["block3_out"]),
    "inception": ("mixed2", ["mixed3"]),
    "depthwise": ("pw_3_relu", ["pw_4_relu"]),
    "dense_concat": ("s2_l3_concat", ["last_relu"]),
    "nested": ("backbone/block1_out", ["backbone/conv2"]),
    "grey": ("relu3", ["conv4"]),
    "fully_connected": ("conv3", ["fc1", "fc2_relu"]),
    "squeeze_excite": ("block2_excite", ["top"]),
    "two_answers": ("conv2", ["conv3"]),
    "headless": ("block2_out", ["block3_out"]),
}


@pytest.mark.parametrize("name", CHOSEN)
def test_defaults(name: str, teacher_of) -> None:
    teacher = Teacher(teacher_of(name).model)
    assert (teacher.tap, list(teacher.targets)) == CHOSEN[name]


def network(size: int, *blocks, head=None) -> keras.Model:
    x = image = keras.Input((size, size, 3))
    for block in blocks:
        x = block(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x) if head is None else head(x)
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


def down(name: str, **arguments):
    return layers.Conv2D(
        4, 3, 2, padding="same", activation="relu", name=name, **arguments
    )


def merge(name: str):
    def block(x):
        y = layers.Conv2D(4, 3, padding="same", name=f"{name}_conv")(x)
        return layers.Add(name=name)([x, y])

    return block


def five(*inserted, size: int = 224):
    """Strides 2, 4, 8, 16, what is inserted, 32."""
    return network(size, *[down(f"d{k}") for k in range(1, 5)], *inserted, down("d5"))


def test_stride_16_is_preferred() -> None:
    assert Teacher(five(down("wide"), size=448)).tap == "d4"
    assert Teacher(five()).tap == "d4"
    assert Teacher(five()).tap_shape == (14, 14, 4)


def test_padding_of_the_next_block_is_no_tap() -> None:
    model = five(layers.ZeroPadding2D(1, name="pad"), layers.Identity(name="id"))
    assert Teacher(model).tap == "d4"


def test_a_merge_counts_more_than_the_next_blocks_wide_features() -> None:
    wide = layers.Conv2D(24, 1, activation="relu", name="expand")
    assert Teacher(five(merge("block"), wide)).tap == "block"
    # The activation of the merge itself belongs to it, also after normalisation.
    after = (layers.BatchNormalization(name="bn"), layers.ReLU(name="act"))
    assert Teacher(five(merge("block"), *after, wide)).tap == "act"
    assert Teacher(five(merge("block"), after[0], wide)).tap == "block"


def test_smaller_images() -> None:
    assert Teacher(five(size=96)).tap == "d3"
    assert Teacher(five(size=96)).tap_shape == (12, 12, 4)
    assert Teacher(network(12, down("d1"), down("d2"), down("d3"))).tap == "d2"


def test_hidden_dense_layers_are_those_that_another_follows() -> None:
    def head(x):
        x = layers.Flatten(name="flat")(x)
        x = layers.Dense(8, activation="tanh", name="one")(x)
        x = layers.Dense(8, name="linear")(x)
        x = layers.BatchNormalization(name="bn")(x)
        return layers.Activation("relu", name="two")(x)

    teacher = Teacher(network(24, down("d1"), down("d2"), head=head))
    assert teacher.targets == ("one", "two")


def test_a_linear_embedding_is_no_target() -> None:
    def head(x):
        return layers.Dense(8, name="embedding")(layers.GlobalAveragePooling2D()(x))

    assert Teacher(network(24, down("d1"), down("d2"), head=head)).targets == ("d2",)


def test_above_a_tap_that_is_the_last_map_comes_the_pooled_vector() -> None:
    model = archetypes.build("plain")
    assert Teacher(model, "conv4").targets == ("gap",)
    assert Teacher(model, "relu3").targets == ("conv4",)
    depthwise = Teacher(archetypes.build("depthwise"), "pw_4_relu")
    assert depthwise.targets == ("gap",)
    assert depthwise.target_shapes == {"gap": (1, 1, 20)}
    assert depthwise.has_head


def test_what_comes_before_the_first_convolution_is_no_tap() -> None:
    model = network(9, layers.Rescaling(1.0), layers.ReLU(), down("d1"), down("d2"))
    assert Teacher(model).tap == "d1"


def test_no_tap_before_the_targets() -> None:
    model = network(24, down("d1"))
    with pytest.raises(TeacherError, match=r"no layer before the targets \['d1'\]"):
        Teacher(model)


# By stride and position


def blocks() -> keras.Model:
    """Two merges at stride 8, one with its activation, then two at 16."""
    after = layers.ReLU(name="m2_act")
    return network(
        256,
        *[down(f"d{k}") for k in range(1, 4)],
        merge("m1"),
        merge("m2"),
        after,
        down("d4"),
        merge("m3"),
        down("d5"),
    )


@pytest.mark.parametrize(
    ("stride", "position", "tap"),
    [(8, -1, "m2_act"), (8, -2, "m1"), (8, 0, "m1"), (16, -1, "m3"), (2, 0, "d1")],
)
def test_a_tap_by_stride_and_position(stride: int, position: int, tap: str) -> None:
    teacher = Teacher(blocks(), {"stride": stride, "position": position})
    assert teacher.tap == tap
    assert teacher.geometry.stride == (stride, stride)
    if position == -1:
        assert Teacher(blocks(), {"stride": stride}).tap == tap


@pytest.mark.parametrize(
    ("tap", "message"),
    [
        ({"stride": 64}, r"no cut at stride 64; it has cuts at strides 2, 4, 8, 16"),
        ({"stride": 8, "position": -3}, r"has 2 cuts .*m1, m2_act.*no position -3"),
        ({"stride": 8, "position": 2}, "no position 2"),
        ({"strid": 8}, r"no 'strid'.*stride"),
        ({"position": -1}, "the stride is missing"),
        ({}, "the stride is missing"),
        ({"stride": "8"}, "whole number, got '8'"),
        ({"stride": True}, "whole number, got True"),
    ],
)
def test_taps_by_position_that_cannot_be(tap: dict, message: str) -> None:
    with pytest.raises(TeacherError, match=message):
        Teacher(blocks(), tap)


def test_a_tap_by_position_is_kept_in_the_source(tmp_path) -> None:
    blocks().save(tmp_path / "model.keras")
    by = {"stride": 8, "position": -2}
    teacher = Teacher.from_file(tmp_path / "model.keras", by)
    assert teacher.tap == "m1" and teacher.source["tap"] == by
    assert Teacher.from_source(teacher.source).fingerprint == teacher.fingerprint
