"""The explainers that are served in the tests, the same in each process.

`python tests/serving/served_models.py FOLDER` writes them for a real server:

    FOLDER/small/1, FOLDER/small/2    versions of one explainer, `stable` and `canary`
    FOLDER/plain/1                    without labels, names or an answer
    FOLDER/tap/1                      the first without the teacher: features in
    FOLDER/half/1                     copy of small/1; version 2, which is half-written,
                                      comes by `served_models.py FOLDER --half`
    FOLDER/serving/                   models.config and the other files of serve-config
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
for folder in (TESTS.parent, TESTS, TESTS / "explainer"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import keras  # noqa: E402
import numpy as np  # noqa: E402
from small_teacher import make_images, make_teacher  # noqa: E402

from keras_explainer.explainer import Explainer  # noqa: E402
from keras_explainer.export.endpoints import Endpoints  # noqa: E402
from keras_explainer.results import PartName, PartNames  # noqa: E402
from keras_explainer.serving import ServedModel, serve_config  # noqa: E402

LABELS = ["cat", "dog", "cow", "owl", "eel"]
PARTS = 4
SILENT, ABSENT = 2, 4
NAMES = PartNames(
    filters=6,
    names=(
        PartName(filter=0, name="ear", confidence=0.75, r2=0.5, images=12),
        PartName(filter=3, name="nose — right"),
    ),
)


def explainer_of(teacher: Any) -> Explainer:
    """Six filters of different scales: some absent, one silent."""
    keras.utils.set_random_seed(0)
    explainer = Explainer(teacher, filters=6, recipe="single", decoder="conv")
    conv = explainer.encoder.conv_2.conv
    kernel, _ = conv.get_weights()
    bias = np.full(6, 0.02)
    bias[SILENT] = -1e6
    conv.set_weights([kernel * np.logspace(0, 1, 6), bias])
    explainer.statistics.started.assign(1.0)
    levels = np.zeros(6)
    levels[ABSENT] = 1e6
    explainer.presence.set_levels(levels)
    return explainer


def small() -> Explainer:
    """With labels and contributions."""
    explainer = explainer_of(make_teacher(labels=LABELS))
    explainer.measure_tracks(make_images(16))
    return explainer


def plain() -> Explainer:
    """Of a teacher that ends at its last target: no answer."""
    return explainer_of(make_teacher(answer=None))


def write_models(folder: Path) -> None:
    """All of them; see above."""
    one, other = small(), plain()
    _write(one, folder / "small" / "1", PARTS, NAMES)
    _write(one, folder / "small" / "2", PARTS + 1, None)
    _write(one, folder / "tap" / "1", PARTS, NAMES, with_teacher=False)
    _write(other, folder / "plain" / "1", PARTS, None)
    shutil.copytree(folder / "small" / "1", folder / "half" / "1")
    serve_config(
        [
            ServedModel(path=folder / "small", labels={"stable": 1, "canary": 2}),
            ServedModel(path=folder / "plain"),
            ServedModel(path=folder / "tap"),
            ServedModel(path=folder / "half", latest=2),
        ],
        folder / "serving",
    )


def _write(
    explainer: Explainer, folder: Path, parts: int, names: Any, **settings: Any
) -> None:
    """As `saved_model`, which verifies too; the tests of the export are about that."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    Endpoints(explainer, parts, names, **settings).save(folder)


def write_half(folder: Path) -> None:
    """A version whose program ends in the middle.

    A server that is started with it may not start at all: it comes later.
    """
    half = folder / "half" / "2"
    half.mkdir()
    whole = (folder / "half" / "1" / "saved_model.pb").read_bytes()
    (half / "saved_model.pb").write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    if sys.argv[2:] == ["--half"]:
        write_half(Path(sys.argv[1]))
    else:
        write_models(Path(sys.argv[1]))
