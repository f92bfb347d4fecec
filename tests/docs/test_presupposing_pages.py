"""Blocks that presuppose something run too: a run, photographs, a server.

What a page presupposes is made under the names that the page uses. What needs a network
or another program is left out: `LEFT_OUT` names it, and what tests it.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from page_blocks import BLOCK, ROOT, run_blocks

for name in ("runs", "serving"):
    sys.path.append(str(ROOT / "tests" / name))

COMMAND = re.compile(r"^\S.*(?:\n[ \t]+.*)*", re.MULTILINE)

PAGES = {
    "README.md": """
import numpy as np
path = "PATH.weights.h5"
images = np.random.default_rng(0).integers(0, 256, (12, 224, 224, 3)).astype("uint8")
""",
    "docs/explanations.md": """
import keras_explainer as kx
explainer = kx.runs.RunFolder.open("runs/dog").load_explainer()
images = kx.ImageFolder("DIR", image_size=(40, 48)).test.load()[:2]
""",
    "docs/serving.md": """
import keras_explainer as kx
explainer = kx.runs.RunFolder.open("runs/dog").load_explainer()
""",
    "docs/how-to/serve.md": """
import numpy as np
images = np.random.default_rng(0).integers(0, 256, (2, 40, 48, 3)).astype("uint8")
""",
}
"""The pages, and the names that their Python blocks presuppose."""

LEFT_OUT = {
    r"^pip install ": "tests/packaging/test_packaging.py",
    r"^make ": "tests/demo/test_demo.py",
    r"^keras-explainer demo\b": "tests/demo/test_demo.py",
    r"zoo build ResNet50 ": "tests/cli/test_zoo_commands.py",
    r"--engine spark ": "tests/batch_inference/test_spark.py",
    r"\bdocker compose ": "tests/serving/test_serve_config.py",
    r" cat=models/cat-2 ": "tests/serving/test_serve_config.py",
    r"^python tests/serving/": "tests/serving/test_client.py",
    r"^tls = Tls": "tests/serving/test_tls.py",
}
"""Commands, and Python blocks, that are not run, by what is in them."""

ADDED = {
    r"^keras-explainer train ": " --epochs 1 --filters 32",
    r"^keras-explainer teacher fit ": " --weights none --epochs 1 --image-size 64x64",
}
"""Options that make a command short, or spare it the public weights."""

TIMEOUT = 1800

pytestmark = pytest.mark.one_backend


def commands(page: str) -> list[tuple[str, str]]:
    """Kind and code of each command and Python block, without remarks behind it."""
    found = []
    for kind, code in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        if kind == "bash":
            code = re.sub(r"[ \t]+# .*", "", code)
            found += [(kind, one) for one in COMMAND.findall(code)]
        elif kind == "python":
            found.append((kind, code))
    return found


def left_out(code: str) -> str | None:
    return next((at for at in LEFT_OUT if re.search(at, code, re.MULTILINE)), None)


def test_what_is_left_out_is_tested_elsewhere() -> None:
    seen = {left_out(code) for page in PAGES for _, code in commands(page)}
    assert seen - {None} == set(LEFT_OUT)
    for place in LEFT_OUT.values():
        assert (ROOT / place).exists(), place


def make_what_is_presupposed(folder: Path, page: str) -> None:
    """Images with annotations, photographs, and a run or the weights to begin with."""
    import drawn_data
    import keras
    from PIL import Image

    from keras_explainer import runs
    from keras_explainer.results import PartNames

    drawn = drawn_data.write_images(folder / "DIR")
    (folder / "photos").mkdir()
    photo = Image.open(drawn / "images" / "017.png")
    for file in ("IMAGE", "dog", "photo", "a", "b", "photos/1", "photos/2"):
        photo.save(folder / f"{file}.jpg")
    if page == "README.md":
        model = keras.applications.MobileNet(alpha=0.75, weights=None)
        model.save_weights(folder / "PATH.weights.h5")
        return
    teacher = runs.make_teacher(
        drawn_data.write_teacher(folder / "teacher.keras"),
        tap="tap",
        targets=["high"],
        labels=["tabby", "dog", "bird"],
    )
    config = runs.RunConfig(
        teacher=teacher.source,
        data=runs.DataConfig(str(drawn), category="dog"),
        explainer=runs.ExplainerConfig(
            filters=10, recipe=runs.resolve_recipe("single")
        ),
        learning=runs.LearningConfig(epochs=1),
    )
    runs.train(folder / "runs" / "dog", config, teacher=teacher)
    PartNames.by_hand({}, filters=10).save_json(folder / "names.json")


@contextmanager
def served(models: Path) -> Iterator[tuple[str, str]]:
    """The tests' own server of all models; its addresses of REST and gRPC."""
    pytest.importorskip("tensorflow_serving")
    from conformance_server import ConformanceServer
    from model_store import ModelStore

    places = {f"/models/{one.name}": one for one in models.iterdir()}
    entries = "\n".join(
        f'config {{ name: "{one.name}" base_path: "{place}" '
        'model_platform: "tensorflow" version_labels { key: "stable" value: 1 } '
        'version_labels { key: "canary" value: 1 } }'
        for place, one in places.items()
        if (one / "1").exists()
    )
    store = ModelStore(f"model_config_list {{ {entries} }}", places)
    with ConformanceServer(store) as server:
        yield server.rest, server.grpc


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_code_runs(page: str, tmp_path: Path) -> None:
    make_what_is_presupposed(tmp_path, page)
    blocks = []
    for kind, code in commands(page):
        if left_out(code) is None and (shutil.which("curl") or "curl " not in code):
            added = (more for at, more in ADDED.items() if re.search(at, code))
            blocks.append((kind, code + "".join(added)))
    asks = [at for at, (_, code) in enumerate(blocks) if "localhost:" in code]
    first = asks[0] if asks else len(blocks)
    run_blocks(blocks[:first], tmp_path, TIMEOUT, PAGES[page])
    if not asks:
        return
    with served(tmp_path / "models") as (rest, grpc):
        rest_of_it = [
            (
                kind,
                code.replace("http://localhost:8501", rest).replace(
                    "localhost:8500", grpc
                ),
            )
            for kind, code in blocks[first:]
        ]
        run_blocks(rest_of_it, tmp_path, TIMEOUT, PAGES[page])
