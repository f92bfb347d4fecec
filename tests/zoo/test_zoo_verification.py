"""Verification: small versions of each kind of network, and what it must notice."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_explainer.zoo import ZooConfig, ZooRecord, teacher
from keras_explainer.zoo import verification as v
from keras_explainer.zoo import verification_stages as proofs
from keras_explainer.zoo.random_weights import randomize
from keras_explainer.zoo.verify_all import pending, verify_all
from keras_explainer.zoo.zoo_config import CONFIGS

from keras_explainer.errors import ConfigError, TeacherError, ZooError
from keras_explainer.teachers import Teacher

# One of each kind, as small as it can be built.
SMALL = {
    "AlexNet": (99, {"alpha": 0.1}),
    "ConvNeXtTiny": (64, {}),
    "DenseNet121": (64, {}),
    "EfficientNetB0": (64, {}),
    "InceptionV3": (107, {}),
    "MobileNet": (64, {"alpha": 0.25}),
    "MobileNetV2": (64, {"alpha": 0.35}),
    "MobileNetV3Small": (64, {}),
    "NASNetMobile": (96, {}),
    "ResNet50": (64, {}),
    "VGG-S": (110, {"alpha": 0.1}),
    "Xception": (96, {}),
}
# Their graphs take TensorFlow half a minute to compile: so in `test-slow`.
LONG = ("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "NASNetMobile", "ResNet50")
LONG = (*LONG, "Xception", "MobileNetV2", "MobileNetV3Small", "InceptionV3")
# Even operation by operation, what follows the cut takes these 20 seconds.
CUT_ONLY = ("DenseNet121", "InceptionV3", "NASNetMobile")
# An export and its verification take a quarter of a minute: one of the quick ones.
EXPORTED = (*LONG, "AlexNet")
UNCOMPILED = ("load", "cut", "learn", "save", "reload")
# One for each of the places of the default recipe.
FILTERS = 16


def check(name: str, **changes) -> ZooRecord:
    side, arguments = SMALL[name]
    return v.verify(
        name,
        input_shape=(side, side, 3),
        filters=FILTERS,
        **{"classes": 7, **arguments},
        **changes,
    )


@pytest.mark.one_backend
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in LONG else [])
        for name in sorted(SMALL)
    ],
)
def test_each_kind_of_network_passes(name: str) -> None:
    stages = dict(proofs.STAGES)
    if name not in EXPORTED:
        del stages["export"]
    record = check(name, stages=stages)
    assert record.error is None
    assert record.status == "passed"
    assert list(record.stages) == list(stages)
    if name in EXPORTED:
        assert record.figures["export_difference"] <= 1e-4
    assert 0 <= record.figures["cut_difference"] <= proofs.CUT_TOLERANCE
    assert record.figures["reload_difference"] <= proofs.RELOAD_TOLERANCE
    assert record.figures["image_difference"] > proofs.CUT_TOLERANCE
    assert record.figures["steps"] == 2
    config = ZooConfig.named(name)
    if config.tap.layer is not None:
        assert record.figures["tap"] == config.tap.layer


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:Even though the")
@pytest.mark.parametrize("name", LONG)
def test_each_kind_of_network_passes_uncompiled(name: str, uncompiled) -> None:
    """Residual, inception, dense, nested, searched, …, without half a minute each."""
    stages = {
        stage: proof
        for stage, proof in proofs.STAGES.items()
        if stage in (("load", "cut") if name in CUT_ONLY else UNCOMPILED)
    }
    record = check(name, stages=stages)
    assert (record.status, record.error) == ("passed", None)
    assert list(record.stages) == list(stages)
    assert record.figures["cut_difference"] <= proofs.CUT_TOLERANCE
    if name not in CUT_ONLY:
        assert record.figures["reload_difference"] <= proofs.RELOAD_TOLERANCE
        assert record.figures["steps"] == 2
    config = ZooConfig.named(name)
    if config.tap.layer is not None:
        assert record.figures["tap"] == config.tap.layer


@pytest.fixture
def uncompiled() -> Iterator[None]:
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_cut_on_every_backend() -> None:
    stages = {name: proofs.STAGES[name] for name in ("load", "cut")}
    record = check("AlexNet", stages=stages)
    assert (record.status, record.error) == ("passed", None)
    assert record.versions["backend"] == keras.backend.backend()


@pytest.mark.one_backend
def test_a_wrong_cut_is_noticed(monkeypatch) -> None:
    from keras_explainer.teachers import Teacher

    upper = Teacher.upper
    monkeypatch.setattr(
        Teacher,
        "upper",
        lambda self, tap: {k: x * 1.001 for k, x in upper(self, tap).items()},
    )
    stages = {name: proofs.STAGES[name] for name in ("load", "cut")}
    record = check("MobileNet", stages=stages)
    assert record.status == "failed"
    assert record.error.startswith("cut: MobileNet cut at 'conv_pw_11_relu' gives")


@pytest.mark.one_backend
def test_a_teacher_that_learning_changes_is_noticed(monkeypatch) -> None:
    fit = proofs.Explainer.fit

    def spoil(self, *args, **kwargs):
        done = fit(self, *args, **kwargs)
        weight = self.teacher.model.weights[0]
        weight.assign(weight + 1e-3)
        return done

    monkeypatch.setattr(proofs.Explainer, "fit", spoil)
    record = check("MobileNet")
    assert record.error == "learn: MobileNet: learning changed the teacher."
    assert "reload_difference" not in record.figures


@pytest.mark.one_backend
def test_an_explainer_that_comes_back_changed_is_noticed(monkeypatch) -> None:
    load = proofs.load_explainer

    def spoil(*args, **kwargs):
        explainer = load(*args, **kwargs)
        weight = explainer.encoder.weights[0]
        weight.assign(weight + 0.1)
        return explainer

    monkeypatch.setattr(proofs, "load_explainer", spoil)
    record = check("MobileNet")
    assert record.error.startswith("reload: MobileNet: what the explainer predicts")


@pytest.mark.one_backend
def test_a_configuration_that_says_another_size(tmp_path: Path) -> None:
    text = (CONFIGS / "MobileNetV3Small.yaml").read_text()
    (tmp_path / "MobileNetV3Small.yaml").write_text(
        text.replace("parameters: 2554968", "parameters: 1")
    )
    stages = {"load": proofs.STAGES["load"]}
    record = v.verify("MobileNetV3Small", configs=tmp_path, stages=stages)
    assert record.status == "failed"
    assert "has 2554968 parameters, its configuration says 1" in record.error


@pytest.mark.one_backend
def test_a_tap_that_is_no_cut_in_this_keras(tmp_path: Path) -> None:
    text = (CONFIGS / "ResNet50.yaml").read_text()
    for tap, message in (
        ("conv4_block6_2_relu", "is no cut.*conv4_block6_out"),
        ("conv4_block7_out", "conv4_block6_out"),
    ):
        changed = text.replace("layer: conv4_block6_out", f"layer: {tap}")
        (tmp_path / "ResNet50.yaml").write_text(changed)
        config = ZooConfig.named("ResNet50", tmp_path)
        with pytest.raises(TeacherError, match=message) as caught:
            teacher(config, weights=None, input_shape=(64, 64, 3), classes=4)
        assert f"ResNet50 (Keras {keras.__version__})" in str(caught.value)


@pytest.mark.one_backend
def test_random_weights_under_which_all_layers_count() -> None:
    """MobileNet as Keras builds it says the same of all images."""
    images = proofs.smooth_images(3, (64, 64, 3), 0)
    model = keras.applications.MobileNet(
        weights=None, input_shape=(64, 64, 3), alpha=0.25, classes=5
    )
    mobilenet = Teacher(model, "conv_pw_5_relu", preprocessing="tf")

    def spread() -> float:
        found = np.asarray(model.predict_on_batch(mobilenet.preprocess(images)))
        return float(np.abs(found - found[:1]).max() / found.max())

    plain = spread()
    randomize(mobilenet, images, 0)
    assert spread() > 10 * plain
    assert spread() > 0.01
    # The statistics are those of these images, layer by layer.
    first = next(x for x in model.layers if hasattr(x, "moving_mean"))
    before = keras.Model(model.inputs, first.input)
    seen = np.asarray(before.predict_on_batch(mobilenet.preprocess(images)))
    np.testing.assert_allclose(
        np.asarray(first.moving_mean), seen.mean((0, 1, 2)), rtol=1e-3, atol=1e-4
    )
    norms = [x for x in model.layers if hasattr(x, "moving_mean")]
    assert {layer.momentum for layer in norms} == {0.99}


# Many, one after the other


@pytest.mark.one_backend
def test_pending_and_resume(tmp_path: Path, monkeypatch) -> None:
    names = ["VGG16", "MobileNet", "NASNetLarge"]
    assert pending(names, tmp_path) == ["MobileNet", "VGG16", "NASNetLarge"]
    assert len(pending(None, tmp_path)) == len(ZooConfig.names())
    told = []

    def quickly(name: str, configs: Path) -> ZooRecord:
        error = "learn: no" if name == "VGG16" else None
        return v._record(name, v.config_sha256(name, configs), error, {}, {})

    monkeypatch.setattr("keras_explainer.zoo.verify_all.verify_apart", quickly)
    done = list(
        verify_all(
            pending(names, tmp_path),
            tmp_path,
            lambda stage, done, total, figures: told.append((done, total)),
        )
    )
    assert [record.status for record in done] == ["passed", "failed", "passed"]
    assert told[0] == (0, 3) and told[-1] == (3, 3)
    # Only what failed is left; without resume all are.
    assert pending(names, tmp_path, resume=True) == ["VGG16"]
    assert len(pending(names, tmp_path)) == 3
    with pytest.raises(ZooError, match="no CNN 'VGG'"):
        pending(["VGG"], tmp_path)


@pytest.mark.one_backend
def test_records_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    record = v._record("VGG16", "0", None, {}, {})
    with pytest.raises(ZooError, match="--records"):
        record.write(tmp_path / "file")


@pytest.mark.one_backend
@pytest.mark.slow
def test_a_process_that_is_killed_gives_a_failed_record(monkeypatch) -> None:
    monkeypatch.setattr(v, "_measured", _kill)
    record = v.verify_apart("MobileNetV3Small")
    assert record.status == "failed"
    assert "killed" in record.error


def _kill(name: str, configs: Path) -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.one_backend
def test_stable_names_do_not_depend_on_what_was_built_before() -> None:
    """A tap's name in a configuration is there when Keras numbers names on."""
    for name in ("MobileNetV3Small", "NASNetMobile"):
        config = ZooConfig.named(name)
        build = getattr(keras.applications, config.constructor)
        for _ in range(2):
            model = build(weights=None, input_shape=(64, 64, 3), classes=3)
        names = {layer.name for layer in model.layers}
        assert config.tap.layer in names
        assert set(config.targets or ()) <= names


@pytest.mark.one_backend
def test_cnns_side_by_side_and_large_ones_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    both, running, seen = threading.Barrier(2, timeout=30), [], []

    def quickly(name: str, configs: Path) -> ZooRecord:
        running.append(name)
        seen.append((name, os.environ.get("TF_NUM_INTRAOP_THREADS")))
        assert os.environ["OMP_NUM_THREADS"] == "3"  # the user's own
        if name in ("MobileNet", "ResNet50"):
            both.wait()  # passes only while the other one runs
        else:
            assert running == [name]
        running.remove(name)
        return v._record(name, v.config_sha256(name, configs), None, {}, {})

    monkeypatch.setattr("keras_explainer.zoo.verify_all.verify_apart", quickly)
    names = ["MobileNet", "ResNet50", "EfficientNetB6", "NASNetLarge"]
    done = list(verify_all(names, tmp_path, workers=2))
    assert [record.name for record in done[2:]] == ["EfficientNetB6", "NASNetLarge"]
    assert {record.name for record in done} == set(names)
    assert dict(seen) == {
        "MobileNet": "4",
        "ResNet50": "4",
        "EfficientNetB6": None,
        "NASNetLarge": None,
    }
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ
    with pytest.raises(ConfigError, match="workers is a whole number from 1, got 0"):
        list(verify_all(names, tmp_path, workers=0))
