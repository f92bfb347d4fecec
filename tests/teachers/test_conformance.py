"""What every teacher does, whatever it is made of."""

from __future__ import annotations

import json

import archetypes
import keras
import numpy as np
import pytest

from keras_explainer.teachers import Teacher

HALF = {"mixed_precision"}


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def assert_close(found, expected, name: str) -> None:
    """Equal but for rounding, of single or half precision."""
    found, expected = (array(keras.ops.cast(x, "float32")) for x in (found, expected))
    share = 2e-2 if name in HALF else 1e-5
    size = max(float(np.abs(expected).max()), 1.0)
    np.testing.assert_allclose(found, expected, rtol=10 * share, atol=share * size)


def reference(teacher: Teacher, mode: str, images: np.ndarray) -> np.ndarray:
    """What the model is to be given, by NumPy."""
    x = images.astype("float64")
    if mode == "unit":
        x = x / 255
    elif mode == "tf":
        x = x / 127.5 - 1
    elif mode == "torch":
        x = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    elif mode == "caffe":
        x = x[..., ::-1] - [103.939, 116.779, 123.68]
    return x.astype("float32")


def by_hand(model: keras.Model, path: str, inputs: np.ndarray) -> np.ndarray:
    """Features of a layer by Keras' own sub-model: of the nested model's by two."""
    *outer, name = path.split("/")
    image = model.inputs[0]
    if not outer:
        return keras.Model(image, model.get_layer(name).output)(inputs, training=False)
    nested = model.get_layer(outer[0])
    before = keras.Model(image, nested._inbound_nodes[-1].input_tensors[0])
    after = keras.Model(nested.inputs[0], nested.get_layer(name).output)
    return after(before(inputs, training=False), training=False)


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_features_and_answer_equal_the_models_own(name: str, teacher_of) -> None:
    teacher = teacher_of(name)
    images = archetypes.images(name, 2)
    tap, targets = teacher.extract(images)
    answer = teacher.classify(images)

    # A second model with the same weights, so that the teacher's stays as it is.
    model = archetypes.build(name)
    inputs = reference(teacher, archetypes.PREPROCESSING[name], images)
    assert tap.dtype == np.float32
    assert tap.shape == (2, *teacher.tap_shape)
    assert_close(tap, by_hand(model, teacher.tap, inputs), name)
    assert list(targets) == list(teacher.targets)
    for path, found in targets.items():
        assert found.shape == (2, *teacher.target_shapes[path])
        assert found.std() > 1e-3
        assert_close(found, by_hand(model, path, inputs), name)
    expected = model(inputs, training=False)
    expected = expected["kind"] if isinstance(expected, dict) else expected
    assert_close(answer["outputs"], expected, name)


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_upper_of_lower_and_head_make_the_whole(name: str, teacher_of) -> None:
    teacher = teacher_of(name)
    images = archetypes.images(name, 2)
    tap, targets = teacher.extract(images)
    lower = teacher.lower(images)
    assert_close(lower, tap, name)
    upper = teacher.upper(lower)
    assert set(upper) == set(targets)
    for path, found in upper.items():
        assert_close(found, targets[path], name)

    answer = teacher.classify(images)
    assert answer["outputs"].shape == (2, *answer["outputs"].shape[1:])
    if not teacher.has_head:
        assert name == "headless"
        return
    head = teacher.head(upper[teacher.targets[-1]])
    for key in ("logits", "outputs"):
        assert_close(head[key], answer[key], name)


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_copy_equals_upper_at_the_start_and_survives_a_file(
    name: str, teacher_of, tmp_path
) -> None:
    teacher = teacher_of(name)
    tap, targets = teacher.extract(archetypes.images(name, 2))
    copy = teacher.copy_upper()
    copy.save(tmp_path / "copy.keras")
    reloaded = keras.saving.load_model(tmp_path / "copy.keras")
    # The second model has been built with a teacher of other automatic names.
    again = Teacher(
        archetypes.build(name),
        archetypes.TAP[name],
        archetypes.TARGETS[name],
    ).copy_upper()
    assert [layer.name for layer in again.layers] == [x.name for x in copy.layers]
    for model in (copy, reloaded):
        found = model(tap, training=False)
        assert set(found) == set(targets)
        for path, expected in targets.items():
            assert_close(found[path], expected, name)
            assert keras.backend.standardize_dtype(found[path].dtype) == "float32"


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_card_is_json(name: str, teacher_of) -> None:
    teacher = teacher_of(name)
    card = json.loads(json.dumps(teacher.card()))
    assert card["tap"] == archetypes.TAP[name]
    assert card["targets"] == archetypes.TARGETS[name]
    assert card["params"] == teacher.model.count_params()
    assert len(card["fingerprint"]) == 64


@pytest.mark.parametrize("name", ["residual", "fully_connected"])
def test_copy_learns_and_leaves_the_teacher(name: str, teacher_of) -> None:
    teacher = teacher_of(name)
    tap, targets = teacher.extract(archetypes.images(name, 4))
    before = [array(w).copy() for w in teacher.model.weights]
    copy = teacher.copy_upper()
    kernels = [w.shape for w in copy.trainable_weights]
    assert kernels
    copy.compile(optimizer=keras.optimizers.SGD(1e-2), loss="mse")
    wanted = {path: np.zeros_like(x) for path, x in targets.items()}
    first = copy.evaluate(tap, wanted, verbose=0)
    copy.fit(tap, wanted, epochs=3, verbose=0)
    last = copy.evaluate(tap, wanted, verbose=0)
    assert np.ravel(last)[0] < np.ravel(first)[0]
    for old, new in zip(before, teacher.model.weights, strict=True):
        np.testing.assert_array_equal(old, array(new))
    assert teacher.copy_upper(trainable=False).trainable_weights == []


def test_copy_of_a_frozen_teacher_can_be_trained() -> None:
    model = archetypes.build("residual")
    model.trainable = False
    copy = Teacher(model, "block2_out", ["block3_out"]).copy_upper()
    assert len(copy.trainable_weights) == 12
    assert model.trainable_weights == []


def test_a_layer_called_twice_is_one_layer_in_the_copy(teacher_of) -> None:
    copy = teacher_of("shared").copy_upper()
    assert len(copy.weights) == 4


@pytest.mark.parametrize("count", [0, 1, 3, 5, 9])
def test_any_number_of_images(count: int, teacher_of) -> None:
    name = "plain"
    teacher = teacher_of(name)
    images = archetypes.images(name, 9)
    everything, targets = teacher.extract(images, batch_size=16)
    tap, few = teacher.extract(images[:count], batch_size=4)
    assert tap.shape == (count, *teacher.tap_shape)
    np.testing.assert_allclose(tap, everything[:count], atol=1e-5)
    for path, found in few.items():
        assert found.shape == (count, *teacher.target_shapes[path])
        np.testing.assert_allclose(found, targets[path][:count], atol=1e-5)
    answer = teacher.classify(images[:count], batch_size=4)
    assert answer["outputs"].shape == answer["logits"].shape
    assert answer["outputs"].shape == (count, teacher.num_outputs)


def test_batches_of_few_sizes_only(teacher_of, monkeypatch) -> None:
    teacher = teacher_of("plain")
    images = archetypes.images("plain", 9)
    teacher.extract(images)
    model = teacher._compute._models["extract"]
    sizes = []
    predict = type(model).predict_on_batch

    def spy(self, x):
        sizes.append(len(x["images"]))
        return predict(self, x)

    monkeypatch.setattr(type(model), "predict_on_batch", spy)
    for count in range(1, 10):
        teacher.extract(images[:count], batch_size=4)
    assert set(sizes) == {1, 2, 4}
    assert len(sizes) == 4 + 2 * 4 + 3


def test_uint8_float_and_backend_tensors_agree(teacher_of) -> None:
    teacher = teacher_of("sequential")
    images = archetypes.images("sequential", 2)
    expected, _ = teacher.extract(images)
    for given in (
        images.astype("float32"),
        images.astype("float64"),
        images.astype("int64"),
        keras.ops.convert_to_tensor(images),
    ):
        np.testing.assert_allclose(teacher.extract(given)[0], expected, atol=1e-6)


@pytest.mark.parametrize("name", archetypes.ARCHETYPES)
def test_fingerprint(name: str, teacher_of, tmp_path) -> None:
    teacher = teacher_of(name)
    arguments = (archetypes.TAP[name], archetypes.TARGETS[name])
    mode = archetypes.PREPROCESSING[name]
    again = Teacher(archetypes.build(name), *arguments, preprocessing=mode)
    assert again.fingerprint == teacher.fingerprint
    again.model.save(tmp_path / "model.keras")
    loaded = Teacher.from_file(tmp_path / "model.keras", *arguments, preprocessing=mode)
    assert loaded.fingerprint == teacher.fingerprint

    others = {teacher.fingerprint}
    other = "identity" if mode != "identity" else "unit"
    others.add(Teacher(again.model, *arguments, preprocessing=other).fingerprint)
    others.add(Teacher(again.model, arguments[0], preprocessing=mode).fingerprint)
    others.add(
        Teacher(
            archetypes.build(name, seed=1), *arguments, preprocessing=mode
        ).fingerprint
    )
    default = Teacher(again.model, arguments[0]).targets == teacher.targets
    assert len(others) == (3 if default else 4)


def test_fingerprint_sees_strides_but_not_names() -> None:
    def model(stride: int, name: str) -> keras.Model:
        x = image = keras.Input((16, 16, 3))
        x = keras.layers.Conv2D(4, 3, padding="same", name=name)(x)
        x = keras.layers.Conv2D(4, 3, 1, dilation_rate=stride, padding="same")(x)
        x = keras.layers.ReLU(name="last")(x)
        model = keras.Model(image, x)
        for weight in model.weights:
            weight.assign(np.full(weight.shape, 0.25, "float32"))
        return model

    one = Teacher(model(1, "a"), "a", ["last"]).fingerprint
    assert Teacher(model(1, "b"), "b", ["last"]).fingerprint == one
    assert Teacher(model(2, "a"), "a", ["last"]).fingerprint != one


class Scaled(keras.layers.Layer):
    """A user's layer, whose default a new version of the code may change."""

    def __init__(self, factor: float = 2.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_fingerprint_leaves_out_defaults_of_keras_alone(monkeypatch) -> None:
    def fingerprint() -> str:
        image = keras.Input((8, 8, 3))
        x = keras.layers.ReLU(name="tap")(image)
        x = Scaled(name="scaled")(x)
        return Teacher(keras.Model(image, x), "tap", ["scaled"]).fingerprint

    before = fingerprint()
    config = keras.layers.ReLU.get_config
    # As a Keras that has not yet got an argument.
    monkeypatch.setattr(
        keras.layers.ReLU,
        "get_config",
        lambda layer: {k: v for k, v in config(layer).items() if k != "threshold"},
    )
    assert fingerprint() == before
    monkeypatch.setattr(Scaled.__init__, "__defaults__", (3.0,))
    assert fingerprint() != before
