"""`keras-explainer zoo` and `keras-explainer teacher`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import keras_explainer as kx
from keras_explainer.cli.main import app
from keras_explainer.errors import ZooError

pytestmark = pytest.mark.one_backend


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_list() -> None:
    done = run("zoo", "list")
    assert done.exit_code == 0
    assert "VGG16" in done.stdout and "AlexNet" in done.stdout
    rows = json.loads(run("zoo", "list", "ResNet50*", "--json").stdout)
    assert [row["name"] for row in rows] == ["ResNet50", "ResNet50V2"]
    assert {"tap", "weights", "licence", "status"} <= set(rows[0])
    text = run("zoo", "list", "VGG-?", "--markdown").stdout
    assert text.startswith("| CNN | kind |") and text.count("\n") == 4
    done = run("zoo", "list", "ResNt")
    assert done.exit_code == 2 and "ResNet" in done.output


def test_show(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_EXPLAINER_CACHE", str(tmp_path))
    done = run("zoo", "show", "VGG-S")
    assert done.exit_code == 0
    place = tmp_path / "weights" / "imagenet-vgg-s.mat"
    assert str(place) in done.stdout
    assert "sha256 of imagenet-vgg-s.mat: unverified" in done.stdout
    assert "non-commercial" in done.stdout
    for name in ("VGG-Z", "../x"):
        done = run("zoo", "show", name)
        assert done.exit_code == 2 and "The zoo has no CNN" in done.output


def test_a_report_of_another_explainer_needs_images(
    tmp_path: Path, monkeypatch
) -> None:
    """Creatures are drawn; it is said before another's files are downloaded."""
    from keras_explainer.zoo import ZooEntry

    monkeypatch.setattr(ZooEntry, "names", lambda *_: ["creatures", "dog"])
    done = run("report", "dog", "--to", tmp_path / "dog")
    assert done.exit_code == 2
    assert "dog of the zoo comes without images" in " ".join(done.stderr.split())
    assert "--data FOLDER" in done.stderr
    done = run("report", "dgo", "--to", tmp_path / "dog")
    assert done.exit_code == 2 and "dog" in done.stderr
    assert not list(tmp_path.iterdir())


def test_verify_takes_one_or_all(tmp_path: Path) -> None:
    for arguments in ((), ("VGG16", "--all")):
        done = run("zoo", "verify", *arguments)
        assert done.exit_code == 2 and "--all" in done.output
    done = run("zoo", "verify", "--all", "--dry-run", "--records", tmp_path)
    assert done.exit_code == 0
    assert "ConvNeXtXLarge" in done.stdout and not list(tmp_path.iterdir())


def test_verify_writes_what_it_measured(tmp_path: Path, monkeypatch) -> None:
    from keras_explainer.zoo import verification as v

    def quickly(name: str, configs: Path):
        record = v._record(name, "0", "cut: no" if name == "VGG16" else None, {}, {})
        record.figures.update(
            seconds=1.0,
            peak_memory_gib=1.0,
            cut_difference=0.0,
            reload_difference=0.0,
        )
        return record

    monkeypatch.setattr("keras_explainer.zoo.verify_all.verify_apart", quickly)
    done = run("zoo", "verify", "MobileNet", "--records", tmp_path)
    assert done.exit_code == 0 and "MobileNet: passed" in done.stdout
    done = run("zoo", "verify", "VGG16", "--records", tmp_path)
    assert done.exit_code == 2 and "VGG16: failed. cut: no" in done.stdout
    assert json.loads((tmp_path / "VGG16.json").read_text())["error"] == "cut: no"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for name, channel in (("red", 0), ("green", 1)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(10):
            image = random.integers(0, 120, (99, 99, 3), "uint8")
            image[..., channel] += 120
            path = tmp_path / "photos" / name / f"{number}.png"
            Image.fromarray(image).save(path)
    return tmp_path / "photos"


def test_fit_a_teacher_and_learn_its_explainer(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "teacher"
    small = ("--weights", "none", "--teacher-arg", "alpha=0.1", "--image-size", "99")
    fit = ("teacher", "fit", "AlexNet", "--data", photos, "--out", out, *small)
    done = run(*fit, "--epochs", 1, "--batch-size", 4)
    assert done.exit_code == 0, done.output
    assert "2 classes, accuracy" in done.stdout and "always the same" in done.stdout
    done = run(*fit, "--epochs", 1)
    assert done.exit_code == 2 and "--overwrite" in done.output
    data = ("--data", photos, "--category", "red", "--filters", 4, "--epochs", 1)
    small = ("--recipe", "single", "--set", "views=2", "--set", "batch_size=4")
    train = ("train", "--teacher", out, *data, *small, "--out", tmp_path / "run")
    done = run(*train)
    assert done.exit_code == 0, done.output
    done = run("evaluate", tmp_path / "run", "--json", tmp_path / "m.json")
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "m.json").read_text())
    assert metrics["teacher"]["accuracy"] is not None

    # Its own place in a registry, with a model card.
    run("evaluate", tmp_path / "run")
    registry = tmp_path / "registry"
    put = ("zoo", "publish", tmp_path / "run", "--registry", registry)
    done = run(*put, "--name", "red", "--licence", "CC-BY-4.0")
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (registry / "red").iterdir()) == [
        *("MODEL_CARD.md", "explainer.json", "explainer.keras"),
        *("teacher.json", "teacher.keras"),
    ]
    assert not [p for p in registry.iterdir() if p.name.startswith(".")]
    explainer = kx.zoo.load("red", registry=registry)
    assert explainer.teacher.labels == ["green", "red"]
    text = (registry / "red" / "MODEL_CARD.md").read_text()
    assert text == run("zoo", "card", "red", "--registry", registry).stdout
    assert "CC-BY-4.0" in text and str(tmp_path) not in text
    agreement = metrics["explainer"]["top1_agreement"]
    assert f"answers {agreement:.3f}" in text
    assert "| part tracking share ↑ | unverified | unverified | unverified |" in text
    for name, message in (("red", "there already"), ("../x", "no path")):
        done = run(*put, "--name", name, "--licence", "MIT")
        assert done.exit_code == 2 and message in done.output
    done = run(*put, "--name", "b", "--licence", " ")
    assert done.exit_code == 2 and "needs a licence" in done.output
    record = registry / "red" / "explainer.keras"
    record.write_bytes(record.read_bytes() + b"x")
    with pytest.raises(ZooError, match="not the file that was published"):
        kx.zoo.load("red", registry=registry)


def test_build_learns_by_the_configuration(photos: Path, tmp_path: Path) -> None:
    from keras_explainer.zoo import teacher

    made = teacher("AlexNet", weights=None, input_shape=(227, 227, 3), alpha=0.05)
    weights = tmp_path / "alex.weights.h5"
    for weight in made.model.weights:
        weight.assign(weight + 0.001)
    made.model.save_weights(weights)
    done = run(
        *("zoo", "build", "AlexNet", "--data", photos, "--category", "red"),
        *("--weights", weights, "--teacher-arg", "alpha=0.05", "--epochs", 1),
        *("--filters", 4, "--set", "views=2", "--set", "batch_size=4"),
        *("--out", tmp_path / "run"),
    )
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["explainer"]["decoder"] == "fc"
    assert config["explainer"]["recipe"]["pool_size"] == 2
    assert config["teacher"]["targets"] == ["fc6", "fc7"]
