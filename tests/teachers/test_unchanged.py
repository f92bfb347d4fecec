"""A teacher reads its model and never changes it."""

from __future__ import annotations

from typing import Any

import archetypes
import keras
import numpy as np
import pytest
from model_state import state

from keras_explainer.errors import DataError, TeacherError
from keras_explainer.teachers import Teacher


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_model_is_bit_equal_after_everything(
    name: str, teacher_of, state_before
) -> None:
    teacher, before = teacher_of(name), state_before(name)
    model = teacher.model
    images = archetypes.images(name, 2)
    answer = teacher.classify(images)["outputs"]
    tap, _ = teacher.extract(images)
    upper = teacher.upper(teacher.lower(images))
    if teacher.has_head:
        teacher.head(upper[teacher.targets[-1]])
    assert teacher.copy_upper().count_params() > 0
    assert len(teacher.fingerprint) == 64
    # Symbolic tensors, as when a functional explainer is built on the teacher.
    symbol = keras.Input(teacher.tap_shape)
    shapes = {k: tuple(v.shape[1:]) for k, v in teacher.upper(symbol).items()}
    assert shapes == teacher.target_shapes
    assert state(model) == before

    # And after errors on the way.
    with pytest.raises(TeacherError):
        Teacher(model, "no such layer")
    with pytest.raises(TeacherError):
        Teacher(model, archetypes.TAP[name], [archetypes.TAP[name]])
    with pytest.raises(DataError):
        teacher.extract(images[:, :-1])
    with pytest.raises(Exception, match=r"."):
        teacher.upper(tap[..., :-1])
    assert state(model) == before
    np.testing.assert_array_equal(teacher.classify(images)["outputs"], answer)


class Counting(keras.layers.Layer):
    """A layer that writes to its state at inference too, and adds a loss."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=keras.regularizers.L2(0.1), **kwargs)
        self.explodes = False

    def build(self, shape) -> None:
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        self.add_loss(keras.ops.mean(inputs))
        if self.explodes:
            raise RuntimeError("in the middle")
        return inputs * (1.0 + 0.0 * self.calls)


def with_side_effects() -> keras.Model:
    x = image = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(x)
    x = Counting(name="counting")(x)
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv2")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(3, activation="softmax")(x)
    model = keras.Model(image, x)
    random = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(random.normal(size=weight.shape).astype("float32"))
    model.compile(optimizer="sgd", loss="mse")
    return model


def test_updates_and_losses_of_layers_are_dropped() -> None:
    model = with_side_effects()
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 12, 3))
    before = state(model)
    teacher = Teacher(model, "conv1", ["conv2"])
    tap, targets = teacher.extract(images)
    teacher.upper(tap)
    teacher.lower(images)
    teacher.classify(images)
    assert state(model) == before
    assert targets["conv2"].std() > 0


def test_error_in_the_middle_leaves_the_model() -> None:
    model = with_side_effects()
    images = np.random.default_rng(0).uniform(0, 255, (2, 16, 12, 3))
    teacher = Teacher(model, "conv1", ["conv2"])
    before = state(model)
    layer = model.get_layer("counting")
    layer.explodes = True

    def on_tensors(images):
        return teacher.upper(teacher.lower(images))

    for call in (teacher.extract, teacher.classify, on_tensors):
        with pytest.raises(RuntimeError, match="in the middle"):
            call(images)
    layer.explodes = False
    assert state(model) == before
    assert np.isfinite(teacher.extract(images)[0]).all()


def test_user_can_use_the_model_between_the_teachers_calls() -> None:
    """On JAX `predict` hands the buffers of a model's weights over and back."""
    model = archetypes.build("residual")
    images = archetypes.images("residual", 2)
    teacher = Teacher(model, "block2_out", ["block3_out"])
    expected = teacher.extract(images)[0]
    head = teacher.head(teacher.extract(images)[1]["block3_out"])["logits"]
    for _ in range(2):
        model.predict_on_batch(images.astype("float32"))
        np.testing.assert_allclose(teacher.extract(images)[0], expected, atol=1e-6)
        again = teacher.head(teacher.extract(images)[1]["block3_out"])["logits"]
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(again),
            keras.ops.convert_to_numpy(head),
            atol=1e-6,
        )
