"""The same answers from every backend, number of threads and batch size."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.one_backend]

SCRIPT = """
import sys
import numpy as np
import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures

batch, place = int(sys.argv[1]), sys.argv[2]
explainer = kx.zoo.load("creatures")
images = Creatures(96, ["griffin", "fox"], seed=7).generate(6).images
names = ("maps", "encoding", "reconstructions")
found = explainer.predict(images, batch_size=batch, outputs=names, verbose=0)
(reconstruction,) = found["reconstructions"].values()
explained = explainer.explain(images, k=explainer.filters, batch_size=batch, verbose=0)
contributions = np.zeros((6, explainer.filters))
for row, one in enumerate(explained):
    for part in one.parts:
        contributions[row, part.filter] = part.contribution
np.savez(
    place,
    maps=found["maps"],
    encoding=found["encoding"],
    reconstruction=reconstruction,
    contributions=contributions,
    logits=explainer.teacher.classify(images, batch_size=batch)["logits"],
    changes=[one.contributions.change for one in explained],
    classes=[one.explained.class_index for one in explained],
)
"""


def answers(folder: Path, backend: str, threads: int, batch: int) -> dict:
    """What a process of its own says."""
    place = folder / f"{backend}-{threads}-{batch}.npz"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(batch), str(place)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": backend,
            "TF_NUM_INTRAOP_THREADS": str(threads),
            "TF_NUM_INTEROP_THREADS": str(threads),
            "OMP_NUM_THREADS": str(threads),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(place) as found:
        return dict(found)


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return answers(tmp_path_factory.mktemp("first"), "tensorflow", 1, 6)


@pytest.mark.parametrize(
    ("backend", "threads", "batch"),
    [("tensorflow", 2, 6), ("tensorflow", 1, 1), ("jax", 1, 6), ("torch", 1, 6)],
    ids=str,
)
def test_answers(expected, tmp_path, backend, threads, batch):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    found = answers(tmp_path, backend, threads, batch)
    np.testing.assert_array_equal(found["classes"], expected["classes"])
    for name in ("maps", "encoding", "reconstruction", "logits", "changes"):
        scale = float(np.abs(expected[name]).max())
        np.testing.assert_allclose(
            found[name], expected[name], rtol=0, atol=1e-4 * scale
        )
    # Integrated gradients take the path on either side of a kink.
    scale = float(np.abs(expected["contributions"]).max())
    np.testing.assert_allclose(
        found["contributions"], expected["contributions"], rtol=0, atol=1e-2 * scale
    )
    maps = expected["maps"].reshape(6, -1, expected["maps"].shape[-1])
    two = np.sort(maps, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 1e-3 * two[:, 1]
    assert clear.mean() > 0.5
    places = [one["maps"].reshape(maps.shape).argmax(1) for one in (found, expected)]
    np.testing.assert_array_equal(places[0][clear], places[1][clear])
