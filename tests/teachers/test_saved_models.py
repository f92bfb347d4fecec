"""Teachers of SavedModels, of TensorFlow Hub modules and of keras-hub presets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import archetypes
import keras
import numpy as np
import pytest

import keras_explainer as kx
from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher

tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a SavedModel runs on TensorFlow"
)
NAMES = ("map", ["later"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A SavedModel that gives a map, later features and the answer; its model."""
    model = archetypes.build("residual")
    outputs = {
        "map": model.get_layer("block2_out").output,
        "later": model.get_layer("block3_out").output,
        "answer": model.output,
    }
    path = tmp_path_factory.mktemp("export") / "saved"
    keras.Model(model.inputs, outputs).export(path, verbose=False)
    return path, model


@pytest.fixture
def images():
    return archetypes.images("residual", 5)


@tensorflow
def test_features_equal_those_of_the_keras_model(exported, images) -> None:
    path, model = exported
    teacher = Teacher.from_saved_model(
        path, *NAMES, output="answer", preprocessing="unit"
    )
    like = Teacher(model, "block2_out", ["block3_out"], preprocessing="unit")
    tap, targets = teacher.extract(images, batch_size=2)
    wanted, others = like.extract(images)
    np.testing.assert_allclose(tap, wanted, atol=1e-5)
    np.testing.assert_allclose(targets["later"], others["block3_out"], atol=1e-5)
    answer = teacher.classify(images)
    assert answer["logits"] is None
    np.testing.assert_allclose(
        answer["outputs"], like.classify(images)["outputs"], atol=1e-5
    )
    assert teacher.tap_shape == like.tap_shape
    assert teacher.input_shape == like.input_shape
    assert teacher.geometry.stride == like.geometry.stride
    assert teacher.geometry.receptive_field is None
    np.testing.assert_allclose(teacher.lower(images), wanted, atol=1e-5)
    assert teacher.extract(images[:0])[0].shape == (0, *teacher.tap_shape)
    assert json.loads(json.dumps(teacher.card()))["params"] is None


@tensorflow
def test_it_is_a_program_without_layers(exported) -> None:
    teacher = Teacher.from_saved_model(exported[0], *NAMES)
    assert not teacher.has_head and not teacher.has_upper
    for ask in (
        lambda: teacher.upper(np.zeros((1, *teacher.tap_shape))),
        lambda: teacher.head(np.zeros((1, 6, 5, 16))),
        lambda: teacher.copy_upper(),
    ):
        with pytest.raises(TeacherError, match="program without layers"):
            ask()


@tensorflow
@pytest.mark.parametrize("way", ["from_saved_model", "from_hub"])
def test_an_explainer_is_learned_saved_and_reloaded(
    way: str, exported, images, tmp_path: Path
) -> None:
    """From its folder, and as a TensorFlow Hub module by a local handle."""
    path = exported[0]
    teacher = getattr(Teacher, way)(
        str(path), *NAMES, output="answer", preprocessing="unit"
    )
    assert teacher.source["kind"] == way.removeprefix("from_")
    # The card travels with the explainer: no folder of this machine is in it.
    assert str(path.parent) not in json.dumps(teacher.card())
    explainer = kx.Explainer(teacher, 4, recipe="single", views=2, batch_size=2)
    explainer.compile()
    explainer.fit(images[:4], epochs=1, verbose=0)
    explainer.save(tmp_path / "e.keras")
    source = json.loads(json.dumps(teacher.source))
    again = Teacher.from_source(source)
    assert again.fingerprint == teacher.fingerprint
    loaded = kx.load(tmp_path / "e.keras", teacher=again)
    for mine, theirs in zip(
        loaded.predict(images, verbose=0)["reconstructions"].values(),
        explainer.predict(images, verbose=0)["reconstructions"].values(),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    found = loaded.explain(images, verbose=0)
    assert len(found) == len(images)
    assert found[0].contributions is None and "no head" in found[0].no_contributions

    moved = tmp_path / "moved"
    shutil.copytree(path, moved)
    assert Teacher.from_source(source, path=moved).fingerprint == teacher.fingerprint
    data = next((moved / "variables").glob("*.data-*"))
    data.write_bytes(data.read_bytes()[:-1] + b"\x01")
    with pytest.raises(TeacherError, match="sha256"):
        Teacher.from_source(source, path=moved)


@tensorflow
def test_what_cannot_be_used(exported, tmp_path: Path, monkeypatch) -> None:
    path = exported[0]
    make = Teacher.from_saved_model
    for arguments, message in (
        ({}, r"Name the tap.*'later'"),
        ({"tap": "mapp", "targets": ["later"]}, r"no output 'mapp'.*map"),
        ({"tap": "answer", "targets": ["later"]}, "no map"),
        ({"tap": "map", "targets": "later"}, r"Use \['later'\]"),
        ({"tap": "map", "targets": ["map"]}, "all different"),
        ({"tap": "map", "targets": ["later"], "signature": "x"}, "serving_default"),
        ({"tap": "map", "targets": ["later"], "labels": ["a"]}, "labels"),
        (
            {"tap": "map", "targets": ["later"], "input_shape": (9, 9, 3)},
            "does not fit",
        ),
    ):
        with pytest.raises(TeacherError, match=message):
            make(path, **arguments)
    with pytest.raises(TeacherError, match="no SavedModel"):
        make(tmp_path, *NAMES)
    (tmp_path / "saved_model.pb").write_bytes(b"not one")
    with pytest.raises(TeacherError, match="cannot be loaded"):
        make(tmp_path, *NAMES)
    with pytest.raises(TeacherError, match="https"):
        Teacher.from_hub("http://example.org/module", *NAMES)


@tensorflow
def test_a_module_without_a_network(monkeypatch) -> None:
    import tensorflow_hub

    def offline(handle: str) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(tensorflow_hub, "resolve", offline)
    with pytest.raises(TeacherError, match=r"cannot be had.*give the path"):
        Teacher.from_hub("https://example.org/module/1", *NAMES)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="it runs on TensorFlow"
)
def test_other_backends_say_so(tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="KERAS_BACKEND=tensorflow"):
        Teacher.from_saved_model(tmp_path, *NAMES)


# keras-hub


def test_keras_hub_is_asked_for_by_name(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(TeacherError, match=r"keras-explainer\[keras-hub\]"):
        Teacher.from_keras_hub("resnet_18_imagenet")


def test_a_preset_of_keras_hub(tmp_path: Path) -> None:
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[2, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(48, 48, 3),
    )
    random = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(random.uniform(0.0, 0.2, weight.shape))
    backbone.save_to_preset(tmp_path / "preset")
    teacher = Teacher.from_keras_hub(tmp_path / "preset", preprocessing="unit")
    assert teacher.source["kind"] == "keras_hub"
    images = archetypes.images("plain", 2)
    images = np.repeat(np.repeat(images, 2, 1), 2, 2)[:, :48, :48]
    tap, targets = teacher.extract(images)
    assert tap.std() > 0
    found = teacher.upper(teacher.lower(images))
    for path, value in targets.items():
        np.testing.assert_allclose(np.asarray(found[path]), value, rtol=1e-3)
    again = Teacher.from_source(json.loads(json.dumps(teacher.source)))
    assert again.fingerprint == teacher.fingerprint
    with pytest.raises(TeacherError, match="cannot be had"):
        Teacher.from_keras_hub(tmp_path / "none")
