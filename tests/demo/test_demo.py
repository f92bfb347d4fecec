"""The demonstration, end to end, with few images: it learns, and its files go on."""

from __future__ import annotations

import json
from functools import partial

import pytest
from PIL import Image

from keras_explainer import demo, runs
from keras_explainer.demo import run_demo
from keras_explainer.errors import ConfigError, RunError

pytestmark = pytest.mark.one_backend
SMALL = {"filters": 16, "epochs": 12, "train": 96, "test": 80}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"), **SMALL)


def test_it_learns_parts(made):
    """Loose bounds; seeded. The full demonstration does far better."""
    found, teacher = made.truth["explainer"], made.truth["teacher"]
    assert found["tracking"]["share"] > 0.4 > 2 * teacher["tracking"]["share"]
    assert found["mask_iou"]["iou"] > 3 * found["mask_iou"]["chance"]
    assert found["mask_iou"]["iou"] > teacher["mask_iou"]["iou"]
    assert found["presence"]["auc"] > 0.6
    assert made.truth["planted"] == {"texture_filters": 1.0, "part_filters": 0.0}
    figures = made.metrics["explainer"]
    assert (
        figures["location_instability"]
        < made.metrics["teacher"]["location_instability"]
    )
    assert figures["part_tracking_share"] == pytest.approx(found["tracking"]["share"])


def test_learning_goes_down(made):
    first, last = made.run.history[0], made.run.history[-1]
    assert last["loss"] < 0.7 * first["loss"]
    assert last["equivariance_loss"] < 0.9 * first["equivariance_loss"]


def test_what_it_leaves(made):
    assert json.loads((made.folder / "truth.json").read_text()) == made.truth
    assert runs.RunFolder.open(made.folder / "run").metrics == made.metrics
    assert len(list((made.folder / "images" / "images").glob("*.png"))) == 176
    for picture in made.pictures:
        assert min(Image.open(picture).size) > 200
    assert Image.open(made.pictures[0]).size[0] > 1000
    assert made.curves is not None and min(Image.open(made.curves).size) > 400


def test_other_commands_take_the_run(made, command):
    done = command("evaluate", made.run.path, "--json", "-")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == made.metrics
    image = made.folder / "images" / "images" / "000097.png"
    done = command("explain", made.run.path, image, "--out", made.folder / "explained")
    assert done.exit_code == 0, done.output
    assert (made.folder / "explained" / "000097.png").exists()


def test_a_folder_that_has_one_is_kept(made):
    with pytest.raises(RunError, match="holds a run already"):
        run_demo(made.folder, **SMALL)
    with pytest.raises(RunError, match="other images than this demonstration's"):
        run_demo(made.folder, species="fox", overwrite=True, **SMALL)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"train": 1}, "train is a whole number from 2"),
        ({"test": 2.5}, "test is a whole number from 8"),
        ({"species": "dog"}, "there is no 'dog'"),
        ({"filters": 0}, "filters"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run_demo(tmp_path / "demo", **{**SMALL, "train": 4, "test": 8, **arguments})


def test_command(made, monkeypatch, command):
    """It goes on with what has been learned, and comes to the same figures."""
    monkeypatch.setattr(demo, "run_demo", partial(run_demo, **SMALL))
    # Without matplotlib there are no curves, and it is said how to get them.
    monkeypatch.setattr("keras_explainer.demo.demo.has_matplotlib", lambda: False)
    assert made.curves is not None
    made.curves.unlink()
    (made.folder / "truth.json").unlink()
    done = command("demo", "--out", made.folder, "--resume")
    assert done.exit_code == 0, done.output
    truth = json.loads((made.folder / "truth.json").read_text())
    assert truth == made.truth
    words = done.stdout.split()
    assert f"{truth['explainer']['tracking']['share']:.4g}" in words
    for text in ("IoU", "precision", "distractors", "instability", "Distractor"):
        assert text in words, text
    for line in done.stdout.splitlines():
        if line.strip().endswith(".png") and line.startswith("  /"):
            assert Image.open(line.strip()).size
    assert "keras-explainer evaluate" in done.stdout
    assert "keras-explainer[report]" in done.stdout
    assert not made.curves.exists()
    other = ["--species", "fox", "--overwrite"]
    done = command("demo", "--out", made.folder, *other)
    assert done.exit_code == 2
    assert "other images than this demonstration's" in done.stderr
