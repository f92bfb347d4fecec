"""Files: versions, sizes, a process without this package, failures, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from keras_explainer.cli.main import app
from keras_explainer.errors import ConfigError, DataError, ExportError, TeacherError
from keras_explainer.explainer import Explainer
from keras_explainer.export import saved_model
from keras_explainer.export.model_versions import free_version
from keras_explainer.results import PartNames
from keras_explainer.teachers import Teacher

ELSEWHERE = """
import json, sys
import numpy as np
import tensorflow as tf

folder, images = sys.argv[1], np.load(sys.argv[2])
program = tf.saved_model.load(folder)
found = program.signatures["explain"](images=tf.constant(images, tf.float32))
# As TensorFlow Serving takes it: tag `serve`, tensors by the signature's names.
with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
    signatures = meta.signature_def
    explain = signatures["explain"]
    names = {key: info.name for key, info in explain.outputs.items()}
    feed = {explain.inputs["images"].name: images}
    served = session.run(names, feed)
    operations = {node.op for node in meta.graph_def.node}
    for function in meta.graph_def.library.function:
        operations |= {node.op for node in function.node_def}
print(json.dumps({
    "loaded": {key: np.asarray(value).tolist() for key, value in found.items()
               if value.dtype != tf.string},
    "served": {key: value.tolist() for key, value in served.items()
               if value.dtype != object},
    "methods": {key: value.method_name for key, value in signatures.items()
                if not key.startswith("__")},
    "batch": [info.tensor_shape.dim[0].size for s in signatures.values()
              for info in s.outputs.values() if info.tensor_shape.dim],
    "python": sorted(op for op in operations if "PyFunc" in op),
    "package": [name for name in sys.modules if name.startswith("keras_explainer")],
}))
"""


@pytest.mark.tensorflow
def test_a_process_without_this_package(exported, explainer, images, tmp_path):
    np.save(tmp_path / "images.npy", images.astype("float32"))
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(exported), str(tmp_path / "images.npy")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["package"] == told["python"] == []
    assert set(told["batch"]) == {-1}
    predict, classify = "tensorflow/serving/predict", "tensorflow/serving/classify"
    assert told["methods"] == {
        "serving_default": predict,
        "explain": predict,
        "explain_jpeg": predict,
        "explain_contributions": predict,
        "explain_contributions_jpeg": predict,
        "describe": predict,
        "part_maps": predict,
        "reconstruct": predict,
        "classify": classify,
    }
    expected = explainer.explain(images, contributions=None, verbose=0)
    for found in (told["loaded"], told["served"]):
        for row, item in enumerate(expected):
            filters = [part.filter for part in item.parts[:4]]
            assert found["part_filters"][row] == filters
            np.testing.assert_allclose(
                found["part_strengths"][row],
                [part.strength for part in item.parts[:4]],
                rtol=1e-5,
                atol=1e-6,
            )
            at = item.answer.class_index
            assert found["scores"][row][at] == pytest.approx(
                item.answer.score, rel=1e-5
            )


@pytest.mark.tensorflow
def test_labels_and_part_names_go_with_it(exported, explainer):
    assets = exported / "assets"
    assert sorted(file.name for file in assets.iterdir()) == [
        "labels.txt",
        "part_names.json",
    ]
    assert (assets / "labels.txt").read_text().split() == explainer.teacher.labels
    names = PartNames.load_json(assets / "part_names.json")
    assert names.of(3).name == "nose — right"


@pytest.mark.tensorflow
def test_no_weight_is_written_twice(tmp_path):
    image = keras.Input((48, 48, 3))
    x = image
    for filters, name in ((64, "a"), (256, "tap"), (384, "top")):
        x = keras.layers.Conv2D(
            filters, 3, 2, padding="same", activation="relu", name=name
        )(x)
    x = keras.layers.Dense(9, activation="softmax")(
        keras.layers.GlobalAveragePooling2D()(x)
    )
    teacher = Teacher(keras.Model(image, x), "tap", ["top"], preprocessing="unit")
    explainer = Explainer(teacher, filters=128, recipe="single", decoder="teacher_copy")
    explainer.decoder.set_adapter(np.random.default_rng(0).normal(size=(128, 256)), 0)
    weights = [
        *teacher.model.weights,
        *explainer.encoder.weights,
        *explainer.decoder.weights,
    ]
    copied = teacher.model.get_layer("top").weights
    for precision, size in (("float32", 4), ("bfloat16", 2)):
        expected = size * sum(int(np.prod(w.shape)) for w in weights)
        # The decoder's copy of the teacher's layer is read from the teacher.
        expected -= size * sum(int(np.prod(w.shape)) for w in copied)
        assert expected > 1.5e6 * size
        folder = saved_model(explainer, tmp_path / precision, precision=precision)
        stored = checkpoint_arrays(folder)
        assert sum(array.nbytes for array in stored) == pytest.approx(
            expected, rel=0.02
        )
        files = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        assert sum(files) < expected + 5e5  # the graph
        large = [array.tobytes() for array in stored if array.nbytes > 1000]
        assert len(large) == len(set(large)) > 5


def checkpoint_arrays(folder):
    """The arrays that a SavedModel holds."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    names = reader.get_variable_to_shape_map()
    return [np.asarray(reader.get_tensor(name)) for name in names if "weights" in name]


@pytest.mark.tensorflow
def test_versions(plain_explainer, tmp_path):
    model = tmp_path / "models" / "small"
    assert saved_model(plain_explainer, model) == model / "1"
    assert saved_model(plain_explainer, model, version=7) == model / "7"
    with pytest.raises(ExportError, match=r"version 7 already.*next free one is 8"):
        saved_model(plain_explainer, model, version=7)
    assert saved_model(plain_explainer, str(model)) == model / "8"
    assert sorted(entry.name for entry in model.iterdir()) == ["1", "7", "8"]
    assert (model / "8").stat().st_mode & 0o777 == (model).stat().st_mode & 0o777


@pytest.mark.one_backend
def test_which_version_is_free(tmp_path):
    assert free_version(tmp_path / "none", None) == 1
    for name in ("002", "latest", ".tmp-9", "٣"):
        (tmp_path / name).mkdir()
    assert free_version(tmp_path, None) == 3
    assert free_version(tmp_path, 1) == 1
    with pytest.raises(ExportError, match="version 2 already"):
        free_version(tmp_path, 2)
    for wrong in (0, -1, 1.5, True, "2", 2**63):
        with pytest.raises(ConfigError):
            free_version(tmp_path, wrong)


@pytest.mark.tensorflow
def test_a_failure_leaves_nothing(plain_explainer, tmp_path, monkeypatch):
    import tensorflow as tf

    save = tf.saved_model.save

    def fails(program, folder, **options):
        save(program, folder, **options)
        assert list(Path(folder).iterdir())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fails)
    with pytest.raises(ExportError, match="No space left"):
        saved_model(plain_explainer, tmp_path / "models" / "small")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "models" / "small" / "1").mkdir(parents=True)
    with pytest.raises(ExportError, match="No space left"):
        saved_model(plain_explainer, tmp_path / "models" / "small")
    assert [e.name for e in (tmp_path / "models" / "small").iterdir()] == ["1"]


@pytest.mark.tensorflow
def test_a_version_that_another_process_took(plain_explainer, tmp_path, monkeypatch):
    import tensorflow as tf

    save, model = tf.saved_model.save, tmp_path / "small"

    def meanwhile(*arguments, **options):
        save(*arguments, **options)
        (model / "1").mkdir(exist_ok=True)

    monkeypatch.setattr(tf.saved_model, "save", meanwhile)
    assert saved_model(plain_explainer, model) == model / "2"
    assert list((model / "1").iterdir()) == []
    model = tmp_path / "other"
    with pytest.raises(ExportError, match="version 1 already"):
        saved_model(plain_explainer, model, version=1)


@pytest.mark.tensorflow
def test_refusals(explainer, make_explainer, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(ExportError, match="is a file"):
        saved_model(explainer, file)
    with pytest.raises(ExportError, match="cannot be"):
        saved_model(explainer, file / "below")
    assert file.read_text() == "mine"
    with pytest.raises(ConfigError, match="part_count"):
        saved_model(explainer, tmp_path / "m", part_count=0)
    with pytest.raises(DataError, match="filter"):
        saved_model(explainer, tmp_path / "m", part_names={99: "ear"})
    damaged = make_explainer()
    damaged.encoder.conv_1.conv.bias.assign(np.full(6, np.nan))
    with pytest.raises(DataError, match="damaged"):
        saved_model(damaged, tmp_path / "m")
    alone = Explainer.from_config(make_explainer().get_config())
    with pytest.raises(TeacherError, match="without its teacher"):
        saved_model(alone, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_command(verified, tmp_path):
    def command(*arguments):
        return CliRunner().invoke(app, ["export", *map(str, arguments)])

    made = command("creatures", "--to", tmp_path / "models" / "creatures")
    assert made.exit_code == 0, made.output
    assert str(tmp_path / "models" / "creatures" / "1") in made.output
    assert (tmp_path / "models" / "creatures" / "1" / "saved_model.pb").is_file()
    assert "8 generated images" in made.output
    helped = CliRunner().invoke(app, ["zoo", "export", "--help"])
    assert helped.exit_code == 0
    assert "RUN|NAME" in helped.output
    again = command("creatures", "--to", tmp_path / "models/creatures", "--version", 1)
    assert again.exit_code == 2
    assert "version 1 already" in again.output
    unknown = command("creaturs", "--to", tmp_path / "m")
    assert unknown.exit_code == 2
    assert "neither" in unknown.output
    assert "creatures" in unknown.output
    no_run = command(tmp_path / "models", "--to", tmp_path / "m")
    assert no_run.exit_code == 2
    file = tmp_path / "file"
    file.write_text("mine")
    at_file = command("creatures", "--to", file)
    assert (at_file.exit_code, file.read_text()) == (2, "mine")
    assert not (tmp_path / "m").exists()
