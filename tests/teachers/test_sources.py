"""Teachers from keras.applications and from files, and again from their source."""

from __future__ import annotations

import json
from pathlib import Path

import archetypes
import keras
import numpy as np
import pytest
from compilation import zero_initializers

from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher

SMALL = {"alpha": 0.25, "classes": 4}


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights of a small MobileNet, not zeros."""
    with zero_initializers():
        model = keras.applications.MobileNet(
            weights=None, input_shape=(64, 64, 3), **SMALL
        )
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 0.5, weight.shape))
    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    model.save_weights(path)
    model.save(path.with_name("small.keras"))
    return path


def mobilenet(weights, **arguments) -> Teacher:
    return Teacher.from_applications(
        "MobileNet",
        weights=weights,
        **{"input_shape": (64, 64, 3), **SMALL, **arguments},
    )


def test_from_applications_and_back(weights: Path) -> None:
    teacher = mobilenet(weights, tap="conv_pw_11_relu", labels=list("abcd"))
    assert teacher.tap_shape == (4, 4, 128)
    assert teacher.targets == ("conv_pw_13_relu",)
    assert teacher.card()["preprocessing"] == "tf"
    assert teacher.labels == list("abcd")
    source = json.loads(json.dumps(teacher.source))
    assert source["tap"] == "conv_pw_11_relu"
    assert source["targets"] is None
    assert source["arguments"] == SMALL
    again = Teacher.from_source(source)
    assert again.fingerprint == teacher.fingerprint
    assert again.source == teacher.source
    assert again.labels == teacher.labels


def test_keras_files_hold_weights_too(weights: Path) -> None:
    by_weights = mobilenet(weights)
    by_model = mobilenet(weights.with_name("small.keras"))
    assert by_model.fingerprint == by_weights.fingerprint


def test_a_bare_network_takes_a_full_ones_weights(weights: Path) -> None:
    arguments = {"tap": "conv_pw_11_relu", "targets": ["conv_pw_13_relu"]}
    full = mobilenet(weights, **arguments)
    bare = mobilenet(weights, include_top=False, **arguments)
    assert not bare.has_head
    images = np.full((1, 64, 64, 3), 77, "uint8")
    np.testing.assert_array_equal(bare.extract(images)[0], full.extract(images)[0])


def test_a_default_tap_is_recorded_as_none(weights: Path) -> None:
    source = mobilenet(weights).source
    assert source["tap"] is None
    assert Teacher.from_source(source).tap == mobilenet(weights).tap


def test_automatic_layer_names_do_not_move() -> None:
    """The second network of a process has the layer names of the first."""
    names = []
    for _ in range(2):
        model = Teacher.from_applications(
            "MobileNetV3Small", input_shape=(64, 64, 3), classes=3, alpha=0.75
        ).model
        names.append([layer.name for layer in model.layers])
    assert names[0] == names[1]
    # And names outside go on as if nothing had been.
    before = keras.layers.ReLU().name
    Teacher.from_applications("MobileNet", input_shape=(32, 32, 3), alpha=0.25)
    after = keras.layers.ReLU().name
    number = [
        int(name.removeprefix("re_lu").strip("_") or 0) for name in (before, after)
    ]
    assert number[1] == number[0] + 1


def test_networks_of_any_size_get_one() -> None:
    teacher = Teacher.from_applications("MobileNetV3Small", classes=3, alpha=0.75)
    assert teacher.input_shape == (224, 224, 3)
    assert teacher.geometry.stride == (16.0, 16.0)
    assert teacher.tap_shape[:2] == (14, 14)
    assert teacher.has_head
    assert teacher.logits_activation == "softmax"


def test_random_weights_cannot_be_had_again() -> None:
    teacher = mobilenet(None)
    with pytest.raises(TeacherError, match=r"random weights.*from_file"):
        Teacher.from_source(teacher.source)


def test_weights_that_are_others_now(weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "w.weights.h5"
    copy.write_bytes(weights.read_bytes())
    teacher = mobilenet(copy)
    moved = copy.rename(tmp_path / "moved.weights.h5")
    with pytest.raises(TeacherError, match="does not exist"):
        Teacher.from_source(teacher.source)
    again = Teacher.from_source(teacher.source, path=moved)
    assert again.fingerprint == teacher.fingerprint
    assert again.source["weights"] == str(moved)
    other = mobilenet(None).model
    other.save_weights(copy)
    with pytest.raises(TeacherError, match=r"not the file.*sha256"):
        Teacher.from_source(teacher.source)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"alpha": 0.5}, r"do not fit MobileNet\(alpha=0\.5, classes=4\)"),
        ({"classes": 5}, "do not fit"),
        ({"alfa": 0.5}, r"no argument 'alfa'. Nearest valid: alpha"),
        ({"input_shape": (8, 8, 3)}, r"cannot be built.*at least 32"),
        ({"tap": "conv_pw_11"}, None),
        ({"tap": "conv_pw_11_rely"}, r"Unknown tap.*conv_pw_11_relu"),
        ({"include_preprocessing": False}, "give preprocessing="),
        ({"dropout": np.float32(0.1)}, "cannot be recorded as JSON"),
    ],
)
def test_wrong_arguments(weights: Path, arguments, text) -> None:
    if text is None:
        assert mobilenet(weights, **arguments).tap == "conv_pw_11"
        return
    with pytest.raises(TeacherError, match=text):
        mobilenet(weights, **arguments)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MobilNet", r"no 'MobilNet'. Nearest valid: MobileNet"),
        ("mobilenet", "Nearest valid: MobileNet"),
        ("imagenet_utils", "has no 'imagenet_utils'"),
    ],
)
def test_unknown_network(name: str, text: str) -> None:
    with pytest.raises(TeacherError, match=text):
        Teacher.from_applications(name)


def test_weights_that_leave_a_layer_random(
    weights: Path, tmp_path: Path, monkeypatch
) -> None:
    """Keras may warn only; a teacher that is random in part is none."""
    load = keras.Model.load_weights

    def partly(self, *arguments, **keywords):
        kernel = self.get_layer("conv_pw_3").kernel
        before = keras.ops.convert_to_numpy(kernel).copy()
        load(self, *arguments, **keywords)
        kernel.assign(before)

    monkeypatch.setattr(keras.Model, "load_weights", partly)
    # Random as in use: these tests' zeros could not be told from loaded ones.
    monkeypatch.setattr(
        keras.initializers.VarianceScaling,
        "__call__",
        lambda self, shape, dtype=None: np.random.default_rng(0).normal(size=shape),
    )
    with pytest.raises(TeacherError, match="It holds nothing for conv_pw_3/kernel"):
        mobilenet(weights)


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    for path, text in (
        (tmp_path / "none.weights.h5", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "model.pb", r"must end in one of \.h5, \.keras"),
        (tmp_path / "cut.weights.h5", "do not fit"),
    ):
        if path.suffix and "none" not in path.name:
            path.write_bytes(b"no weights at all")
        with pytest.raises(TeacherError, match=text):
            mobilenet(path)


def test_from_file_and_back(tmp_path: Path) -> None:
    model = archetypes.build("nested_sequential")
    path = tmp_path / "model.keras"
    model.save(path)
    teacher = Teacher.from_file(
        path, "block1_out", ["block2_out"], preprocessing="unit"
    )
    again = Teacher.from_source(json.loads(json.dumps(teacher.source)))
    assert again.fingerprint == teacher.fingerprint
    images = archetypes.images("nested_sequential", 2)
    np.testing.assert_array_equal(again.extract(images)[0], teacher.extract(images)[0])
    archetypes.build("nested_sequential", seed=1).save(path)
    with pytest.raises(TeacherError, match="sha256"):
        Teacher.from_source(teacher.source)


def test_h5_files(tmp_path: Path) -> None:
    model = archetypes.build("residual")
    model.save(tmp_path / "model.h5")
    teacher = Teacher.from_file(tmp_path / "model.h5", "block2_out")
    expected = Teacher(model, "block2_out")
    images = archetypes.images("residual", 2)
    np.testing.assert_allclose(
        teacher.extract(images)[0], expected.extract(images)[0], rtol=1e-5, atol=1e-5
    )


def test_files_that_are_no_models(tmp_path: Path) -> None:
    good = tmp_path / "good.keras"
    archetypes.build("plain").save(good)
    cut = tmp_path / "cut.keras"
    cut.write_bytes(good.read_bytes()[:2000])
    with pytest.raises(TeacherError, match=r"cut\.keras' cannot be loaded"):
        Teacher.from_file(cut)
    archetypes.build("plain").save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(TeacherError, match="file of weights holds no layers"):
        Teacher.from_file(tmp_path / "only.weights.h5")
    with pytest.raises(TeacherError, match="does not exist"):
        Teacher.from_file(tmp_path / "none.keras")
    with pytest.raises(TeacherError, match="is a folder"):
        Teacher.from_file(tmp_path)


def test_code_in_files_is_not_run(tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda x: x * 2.0)(image)
    path = tmp_path / "lambda.keras"
    keras.Model(image, keras.layers.Conv2D(2, 3)(x)).save(path)
    with pytest.raises(TeacherError, match="not run from a file"):
        Teacher.from_file(path)


def test_classes_of_the_users(tmp_path: Path) -> None:
    class Plus(keras.layers.Layer):
        def call(self, inputs):
            return inputs + 1.0

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv1")(Plus()(image))
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv2")(x)
    path = tmp_path / "plus.keras"
    keras.Model(image, x).save(path)
    with pytest.raises(TeacherError, match="custom_objects"):
        Teacher.from_file(path)
    teacher = Teacher.from_file(path, custom_objects={"Plus": Plus})
    assert teacher.tap == "conv1"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"kind": "aplications"}, r"Unknown kind.*Nearest valid: applications"),
        ({"kind": "applications", "name": "MobileNet"}, "is incomplete"),
        ({"kind": "file"}, "is incomplete"),
        ({}, "A source is the dict"),
        (None, "A source is the dict"),
    ],
)
def test_sources_that_are_none(source, text: str) -> None:
    with pytest.raises(TeacherError, match=text):
        Teacher.from_source(source)


def test_a_model_in_memory_has_no_source(teacher_of) -> None:
    assert teacher_of("plain").source is None
