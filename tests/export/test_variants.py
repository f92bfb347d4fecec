"""Kernels in half precision, features in, SavedModels as teachers, warm-up requests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from answers import assert_explains, call, close
from PIL import Image
from small_teacher import make_images, make_teacher

from keras_explainer.errors import ConfigError, ExportError
from keras_explainer.explainer import Explainer
from keras_explainer.export import saved_model
from keras_explainer.export.warm_up import FILE

tensorflow = pytest.mark.tensorflow


def load(folder):
    import tensorflow as tf

    return tf.saved_model.load(str(folder))


@tensorflow
@pytest.mark.slow
def test_kernels_in_half_precision(verified, exported, explainer, images, tmp_path):
    plain = explainer.teacher.classify(images)["outputs"]
    before = [np.asarray(w) for w in explainer.teacher.model.weights]
    sizes = {}
    for precision, rounding in (("float16", 2e-3), ("bfloat16", 2e-2)):
        folder = saved_model(explainer, tmp_path / precision, precision=precision)
        scores = call(load(folder), "explain", images=images)["scores"]
        assert np.abs(scores - plain).max() <= rounding * plain.max()
        record = json.loads((folder / "export.json").read_text())
        assert record["precision"] == precision
        # Equal to Keras with the same rounded weights.
        assert record["max_difference"] <= 1e-5
        assert 0 < record["rounding"]["scores"] <= rounding
        assert (scores != plain).any()
        variables = folder / "variables" / "variables.data-00000-of-00001"
        sizes[precision] = variables.stat().st_size
    whole = exported / "variables" / "variables.data-00000-of-00001"
    assert sizes["float16"] == sizes["bfloat16"] < 0.7 * whole.stat().st_size
    for weight, value in zip(explainer.teacher.model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), value)


@tensorflow
def test_weights_that_float16_cannot_hold(make_explainer, tmp_path):
    made = make_explainer()
    kernel = made.encoder.conv_1.conv.kernel
    kernel.assign(np.full(kernel.shape, 1e5))
    with pytest.raises(ExportError, match=r"float16 cannot hold.*bfloat16"):
        saved_model(made, tmp_path / "m", precision="float16")
    with pytest.raises(ConfigError, match="float16, bfloat16, got 'half'"):
        saved_model(made, tmp_path / "m", precision="half")
    assert not (tmp_path / "m").exists()


@tensorflow
def test_features_in(verified, explainer, images, tmp_path):
    folder = saved_model(explainer, tmp_path / "m", part_count=4, with_teacher=False)
    program = load(folder)
    assert set(program.signatures) == {
        "describe",
        "explain",
        "explain_contributions",
        "part_maps",
        "reconstruct",
        "serving_default",
    }
    tap, _ = explainer.teacher.extract(images)
    found = call(program, "explain", features=tap)
    assert_explains(found, explainer, images)
    told = json.loads(call(program, "describe", requests=[""])["description"][0])
    assert (told["input"], told["tap_shape"]) == ("features", list(tap.shape[1:]))
    tap[1] = np.inf
    found = call(program, "explain", features=tap)
    assert b"NaN or infinite" in found["status"][1]
    close(found["scores"][0], explainer.teacher.classify(images[:1])["outputs"][0])
    assert call(program, "explain", features=tap[:0])["scores"].shape == (0, 5)


@pytest.fixture
def program_teacher(tmp_path):
    """A teacher that is a SavedModel, with a table of its own."""
    import tensorflow as tf

    from keras_explainer.teachers import Teacher

    model = make_teacher().model
    outputs = [model.get_layer(name).output for name in ("tap", "top")]
    inner = keras.Model(model.inputs, outputs)
    program = tf.Module()
    program.model = inner
    file = tmp_path / "words.txt"
    file.write_text("1\n2\n")
    program.file = tf.saved_model.Asset(str(file))

    @tf.function(input_signature=[tf.TensorSpec((None, 24, 32, 3), "float32", "x")])
    def serve(x):
        words = tf.strings.split(tf.strings.strip(tf.io.read_file(program.file)))
        tap, top = inner(x / 255.0)
        # 2, as the file has it.
        return {"tap": tap * tf.strings.to_number(words[1]) / 2.0, "top": top}

    tf.saved_model.save(program, str(tmp_path / "teacher"), signatures=serve)
    return Teacher.from_saved_model(tmp_path / "teacher", "tap", ["top"])


@tensorflow
@pytest.mark.slow
def test_a_saved_model_as_teacher(verified, program_teacher, images, tmp_path):
    made = Explainer(program_teacher, filters=6, recipe="single", decoder="conv")
    made.statistics.started.assign(1.0)
    folder = saved_model(made, tmp_path / "m", part_count=6)
    (tmp_path / "words.txt").unlink()
    found = call(load(folder), "explain", images=images)
    assert_explains(found, made, images, count=6)
    told = json.loads(call(load(folder), "describe", requests=[""])["description"][0])
    assert "no head" in told["no_contributions"]
    apart = saved_model(made, tmp_path / "apart", part_count=6, with_teacher=False)
    assert not list((apart / "assets").glob("*"))


REPLAY = """
import sys
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

folder, count = sys.argv[1], 0
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    for record in tf.compat.v1.io.tf_record_iterator(
        folder + "/assets.extra/tf_serving_warmup_requests"
    ):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.WhichOneof("log_type") == "classify_log":
            request = log.classify_log.request
            examples = request.input.example_list.examples
            given = {"inputs": [one.SerializeToString() for one in examples]}
        else:
            request = log.predict_log.request
            given = {k: tf.make_ndarray(v) for k, v in request.inputs.items()}
        served = meta.signature_def[request.model_spec.signature_name]
        feed = {served.inputs[name].name: value for name, value in given.items()}
        outputs = {name: info.name for name, info in served.outputs.items()}
        found = session.run(outputs, feed)
        rows = len(next(iter(given.values())))
        assert all(len(value) == rows for value in found.values())
        assert not any(found.get("status", [])), found["status"]
        print(request.model_spec.name, request.model_spec.signature_name, rows)
"""


@tensorflow
def test_warm_up_requests_are_replayed(explainer, tmp_path):
    pytest.importorskip("tensorflow_serving")
    photos = tmp_path / "photos"
    photos.mkdir()
    for at, image in enumerate(make_images(5)):
        Image.fromarray(image).resize((60, 40)).save(photos / f"{at}.jpg")
    folder = saved_model(explainer, tmp_path / "dog", warm_up=photos)
    assert (folder / "assets.extra" / FILE).is_file()
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = sorted(done.stdout.splitlines())
    encoded = ("classify", "describe", "explain_contributions_jpeg", "explain_jpeg")
    arrays = ("explain", "explain_contributions", "part_maps", "reconstruct")
    assert lines == sorted(
        [f"dog {name} {size}" for name in encoded for size in (1, 4)]
        + [f"dog {name} 1" for name in arrays]
    )


@tensorflow
def test_warm_up_without_the_messages(explainer, tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.startswith("tensorflow_serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    with pytest.raises(ExportError, match=r"keras-explainer\[serving\]"):
        saved_model(explainer, tmp_path / "m", warm_up=make_images(2))
    assert not (tmp_path / "m").exists()


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow is the backend"
)
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="TensorFlow is not installed there"
)
def test_from_another_backend(tmp_path):
    """The files are handed to a process that runs TensorFlow."""
    teacher = make_teacher(labels=list("abcde"), name="the teacher")
    made = Explainer(teacher, filters=4, recipe="single", decoder="conv")
    made.statistics.started.assign(1.0)
    made.measure_tracks(make_images(4))
    folder = saved_model(
        made, tmp_path / "m", images=make_images(2), part_names={1: "ear"}
    )
    assert folder == tmp_path / "m" / "1"
    record = json.loads((folder / "export.json").read_text())
    assert record["max_difference"] <= 1e-5
    assert record["images"]["count"] == 2
    assert record["teacher"]["fingerprint"] == teacher.fingerprint
    assert (folder / "assets" / "labels.txt").read_text().split() == list("abcde")
    with pytest.raises(ExportError, match="version 1 already"):
        saved_model(made, Path(tmp_path / "m"), version=1)
