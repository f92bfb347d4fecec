"""Who can load an export: TensorFlow's C API, saved_model_cli, Hub, Keras 3."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
from answers import assert_explains, call, close, encoded

pytestmark = pytest.mark.tensorflow

C_API = """
import sys
from pathlib import Path
import numpy as np
from benchmarks.serving.c_session import CSession

session = CSession(Path(sys.argv[1]))
images = np.load(sys.argv[2])
files = [Path(name).read_bytes() for name in sys.argv[4:]]
own = np.full(len(images), -1, "int32")
found = {
    "explain": session.run("explain", images=images),
    "jpeg": session.run("explain_jpeg", images_bytes=[*files, b"no image"]),
    "shares": session.run("explain_contributions", images=images, class_index=own),
    "empty": session.run("explain", images=images[:0]),
}
np.savez(sys.argv[3], **{
    f"{name}/{key}": value.astype("S") if value.dtype == object else value
    for name, outputs in found.items() for key, value in outputs.items()
})
"""


def run(*arguments):
    done = subprocess.run(
        list(map(str, arguments)),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_c_api(exported, loaded, explainer, images, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("the names of the libraries are Linux's")
    np.save(tmp_path / "images.npy", images.astype("float32"))
    files = [tmp_path / f"{at}.png" for at in range(len(images))]
    for file, image in zip(files, images, strict=True):
        file.write_bytes(encoded(image))
    run(
        *(sys.executable, "-c", C_API, exported, tmp_path / "images.npy"),
        *(tmp_path / "found.npz", *files),
    )
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(tmp_path / "found.npz") as arrays:
        for key in arrays.files:
            name, _, output = key.partition("/")
            found.setdefault(name, {})[output] = arrays[key]
    names = {0: "ear", 3: "nose — right"}
    assert_explains(found["explain"], explainer, images, names=names)
    good = {key: value[:-1] for key, value in found["jpeg"].items()}
    assert_explains(good, explainer, images, names=names)
    assert b"cannot be decoded" in found["jpeg"]["status"][-1]
    assert found["empty"]["scores"].shape == (0, 5)
    own = np.full(len(images), -1)
    expected = call(loaded, "explain_contributions", images=images, class_index=own)
    for output in ("part_contributions", "ordinary_contribution", "logit_change"):
        close(found["shares"][output], expected[output])


# Two processes that load TensorFlow. `test_a_process_without_this_package` has the
# loader and the session that this tool uses.
@pytest.mark.slow
def test_saved_model_cli(exported, images, tmp_path):
    np.save(tmp_path / "images.npy", images.astype("float32"))
    tool = ("-m", "tensorflow.python.tools.saved_model_cli")
    shown = run(sys.executable, *tool, "show", "--dir", exported, "--all")
    for name in ("explain_jpeg", "explain_contributions", "describe", "classify"):
        assert f"signature_def['{name}']" in shown
    run(
        *(sys.executable, *tool, "run", "--dir", exported, "--tag_set", "serve"),
        *("--signature_def", "explain", "--outdir", tmp_path),
        *("--inputs", f"images={tmp_path / 'images.npy'}"),
    )
    assert np.load(tmp_path / "scores.npy").shape == (3, 5)
    assert np.load(tmp_path / "part_boxes.npy").shape == (3, 4, 4)


def test_tensorflow_hub_and_keras(exported, explainer, images):
    hub = pytest.importorskip("tensorflow_hub")

    program = hub.load(str(exported))
    found = call(program, "explain", images=images)
    names = {0: "ear", 3: "nose — right"}
    assert_explains(found, explainer, images, names=names)
    layer = keras.layers.TFSMLayer(
        hub.resolve(str(exported)), call_endpoint="explain", trainable=False
    )
    image = keras.Input((24, 32, 3))
    given = keras.layers.Rescaling(255.0)(image)
    served = layer(given)
    x = keras.layers.Dense(2)(served["scores"])
    model = keras.Model(image, {"answer": x, "scores": served["scores"]})
    scores = model.predict(images / 255.0, verbose=0)["scores"]
    np.testing.assert_allclose(scores, found["scores"], rtol=1e-4)
    # Its own layers learn on what the export says.
    model.compile(loss={"answer": "mse", "scores": None}, optimizer="sgd")
    model.fit(images / 255.0, {"answer": np.ones((3, 2))}, verbose=0)
