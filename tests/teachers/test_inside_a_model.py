"""A teacher inside a model that trains."""

from __future__ import annotations

import archetypes
import keras
import numpy as np
import pytest
from model_state import state

from keras_explainer.teachers import Teacher


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


class Student(keras.Model):
    """Adds something to the tap's features; learns from the teacher's head."""

    def __init__(self, teacher: Teacher, **kwargs) -> None:
        super().__init__(**kwargs)
        self.teacher = teacher
        self.shift = keras.layers.Conv2D(teacher.tap_shape[-1], 1, name="shift")
        self.drop = keras.layers.Dropout(0.5, seed=1)

    def call(self, tap, training=None):
        features = self.teacher.upper(self.shift(tap))
        answer = self.teacher.head(features[self.teacher.targets[-1]])
        # The teacher's `training=False` must not stay on for what follows.
        return self.drop(answer["logits"])


def student_of(teacher: Teacher) -> Student:
    student = Student(teacher)
    student.shift.build((None, *teacher.tap_shape))
    channels = teacher.tap_shape[-1]
    student.shift.kernel.assign(np.eye(channels).reshape(1, 1, channels, channels))
    student(np.zeros((1, *teacher.tap_shape), "float32"))
    return student


@pytest.fixture
def teacher(teacher_of) -> Teacher:
    return teacher_of("residual")


def test_nothing_of_the_teacher_is_tracked_or_saved(teacher: Teacher, tmp_path) -> None:
    student = student_of(teacher)
    assert len(student.weights) == 2
    assert [layer.name for layer in student.layers] == ["shift", student.drop.name]
    student.save_weights(tmp_path / "student.weights.h5")
    assert (tmp_path / "student.weights.h5").stat().st_size < 60_000


def test_training_moves_the_student_alone(state_before, teacher: Teacher) -> None:
    tap, _ = teacher.extract(archetypes.images("residual", 8))
    student = student_of(teacher)
    kernel = array(student.shift.kernel).copy()
    student.compile(optimizer=keras.optimizers.SGD(1e-4), loss="mse")
    wanted = np.zeros((8, teacher.num_outputs), "float32")
    first = student.evaluate(tap, wanted, verbose=0)
    student.fit(tap, wanted, batch_size=4, epochs=3, verbose=0)
    assert student.evaluate(tap, wanted, verbose=0) < first
    assert np.abs(array(student.shift.kernel) - kernel).max() > 1e-5
    assert state(teacher.model) == state_before("residual")


def test_training_of_later_layers_stays_on(teacher: Teacher) -> None:
    tap, _ = teacher.extract(archetypes.images("residual", 2))
    student = student_of(teacher)
    dropped = array(student(tap, training=True))
    kept = array(student(tap, training=False))
    assert (dropped == 0).any()
    assert not (kept == 0).any()
    # Inside the teacher everything is in inference mode in both cases.
    scale = dropped[dropped != 0] / kept[dropped != 0]
    np.testing.assert_allclose(scale, 2.0, rtol=1e-4)


def test_precision_is_the_teachers_own(teacher: Teacher) -> None:
    """A student in half precision does not take the teacher's weights down."""
    tap, targets = teacher.extract(archetypes.images("residual", 2))

    class Half(keras.layers.Layer):
        def call(self, inputs):
            return teacher.upper(tap)[teacher.targets[-1]]

    half = Half(dtype="mixed_bfloat16")
    found = half(np.zeros((1, 1), "float32"))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    expected = targets[teacher.targets[-1]]
    np.testing.assert_allclose(array(found), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["residual", "nested_sequential", "operations"])
def test_a_functional_model_on_a_teacher(name: str, teacher_of, state_before) -> None:
    teacher = teacher_of(name)
    images = archetypes.images(name, 2)
    image = keras.Input(teacher.input_shape)
    features = teacher.upper(teacher.lower(image))
    model = keras.Model(image, features)
    _, targets = teacher.extract(images)
    found = model.predict(images.astype("float32"), verbose=0)
    for path, expected in targets.items():
        np.testing.assert_allclose(found[path], expected, rtol=1e-3, atol=1e-4)
    assert state(teacher.model) == state_before(name)


def test_gradients_reach_the_image(teacher: Teacher) -> None:
    """The answer's slope by finite differences, and by one training step's descent."""

    class Image(keras.Model):
        def build(self, shape) -> None:
            self.image = self.add_weight(
                shape=(1, *teacher.input_shape),
                initializer=keras.initializers.Constant(128.0),
            )

        def call(self, inputs):
            features = teacher.upper(teacher.lower(self.image))
            return teacher.head(features[teacher.targets[-1]])["logits"][:, :1]

    model = Image()
    model.build((None, 1))
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=lambda y, p: p)
    before = float(array(model(np.zeros((1, 1))))[0, 0])
    model.train_on_batch(np.zeros((1, 1)), np.zeros((1, 1)))
    gradient = 128.0 - array(model.image)
    assert np.abs(gradient).max() > 0
    step = 2.0 * gradient / np.abs(gradient).max()
    model.image.assign(128.0 + step)
    after = float(array(model(np.zeros((1, 1))))[0, 0])
    assert after - before == pytest.approx(float((gradient * step).sum()), rel=0.2)
