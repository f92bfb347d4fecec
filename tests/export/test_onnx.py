"""ONNX: what onnxruntime makes of the file, against Keras; needs the extra `onnx`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from answers import assert_explains
from small_teacher import make_images
from typer.testing import CliRunner

from keras_explainer.cli.main import app
from keras_explainer.errors import ExportError
from keras_explainer.export import onnx

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("peaks", [1, 2])
def test_onnxruntime_says_what_keras_says(make_explainer, tmp_path, peaks):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    made = make_explainer(peaks=peaks)
    file = onnx(made, tmp_path / "model.onnx", part_count=4, images=make_images(3))
    assert file == tmp_path / "model.onnx"
    session = runtime.InferenceSession(str(file))
    assert [given.name for given in session.get_inputs()] == ["images"]
    names = [output.name for output in session.get_outputs()]
    for count in (1, 3):
        images = make_images(count)
        values = session.run(names, {"images": images.astype("float32")})
        found = dict(zip(names, values, strict=True))
        found["status"] = np.full(count, b"")
        found["part_names"] = np.full((count, 4), b"", object)
        assert_explains(found, made, images)


def test_a_wrong_file_is_not_written(make_explainer, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    from keras_explainer.export.networks import Networks

    head = Networks._head

    def wrong(self, target):
        return {name: value * 1.01 for name, value in head(self, target).items()}

    monkeypatch.setattr(Networks, "_head", wrong)
    with pytest.raises(ExportError, match="does not say what Keras says"):
        onnx(make_explainer(), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tf2onnx", "onnx", "onnxruntime"])
def test_without_the_extra(make_explainer, tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExportError, match=r"keras-explainer\[onnx\]"):
        onnx(make_explainer(), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.slow
def test_the_command(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    file = tmp_path / "creatures.onnx"
    made = CliRunner().invoke(app, ["export", "creatures", "--to", str(file)])
    assert made.exit_code == 0, made.output
    assert "creatures.onnx" in made.output
    assert file.stat().st_size > 1e5


@pytest.mark.parametrize(
    "given",
    [["--version", "2"], ["--precision", "float16"], ["--features"], ["--names", "n"]],
)
def test_the_command_refuses_what_onnx_has_not(tmp_path, given):
    file = tmp_path / "creatures.onnx"
    (tmp_path / "n").write_text("")
    given = [str(tmp_path / "n") if part == "n" else part for part in given]
    made = CliRunner().invoke(app, ["export", "creatures", "--to", str(file), *given])
    assert made.exit_code == 2
    assert given[0] in made.output
    assert "ONNX" in made.output
    assert not file.exists()
