"""`teacher fit`: classes from a folder, a fit that can be interrupted, a teacher."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_explainer.zoo.fit_settings import FitSettings
from keras_explainer.zoo.labelled_images import TrainingImages, read_classes
from PIL import Image

import keras_explainer as kx
from keras_explainer import runs
from keras_explainer.errors import (
    ConfigError,
    DataError,
    DivergenceError,
    RunError,
    TeacherError,
    ZooError,
)
from keras_explainer.teachers.preprocessing import Preprocessing

room = importlib.import_module("keras_explainer.zoo.teacher_fitting")
SIDE = 99
SMALL = {
    "input_shape": (SIDE, SIDE, 3),
    "arguments": {"alpha": 0.1},
    "weights": None,
}
QUICK = FitSettings(epochs=2, batch_size=8, learning_rate=2e-4, test_share=0.25)


def draw(folder: Path, kinds: dict[str, tuple[int, int, int]], count: int) -> Path:
    """Images of one colour each, with noise, a folder for each kind."""
    random = np.random.default_rng(0)
    for kind, colour in kinds.items():
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            noise = random.normal(0, 25, (SIDE, SIDE, 3))
            image = np.clip(noise + colour, 0, 255).astype("uint8")
            Image.fromarray(image).save(folder / kind / f"{number:03d}.png")
    return folder


COLOURS = {"blue": (40, 40, 220), "green": (40, 220, 40), "red": (220, 40, 40)}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("colours") / "data", COLOURS, 16)


@pytest.fixture(scope="module")
def fitted(data: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("fitted") / "colours"
    settings = FitSettings(**{**QUICK.__dict__, "epochs": 6, "learning_rate": 1e-3})
    kx.zoo.fit_teacher("AlexNet", data, out, settings=settings, **SMALL)
    return out


def test_the_fit_is_at_once_a_teacher(fitted: Path, data: Path, tmp_path: Path) -> None:
    record = json.loads((fitted / "teacher.json").read_text())
    assert record["labels"] == sorted(COLOURS)
    assert record["network"] == "AlexNet"
    assert record["data"] | {"content_hash": ""} == {
        "train_images": 36,
        "test_images": 12,
        "content_hash": "",
    }
    assert len(record["history"]) == 6
    figures = record["figures"]
    assert figures["accuracy"] > figures["constant_accuracy"]
    assert figures["constant_accuracy"] == pytest.approx(1 / 3, abs=1e-3)
    assert set(figures["by_class"]) == set(COLOURS)
    assert not (fitted / room.STATE).exists()

    teacher = runs.make_teacher(fitted)
    assert teacher.labels == sorted(COLOURS)
    assert teacher.tap == record["tap"] == "conv5"
    # The recorded accuracy is that of the file, through the teacher's own answers.
    folder = kx.ImageFolder(data, image_size=(SIDE, SIDE), test_share=0.25)
    found = teacher.classify(folder.test.load())["outputs"].argmax(-1)
    names = np.asarray([teacher.labels.index(label) for label in folder.test.labels])
    assert round(float((found == names).mean()), 4) == figures["accuracy"]

    # An explainer of it, from its source alone.
    config = runs.RunConfig(
        teacher=teacher.source,
        data=runs.DataConfig(str(data), category="red"),
        explainer=runs.ExplainerConfig(
            filters=4,
            recipe=runs.resolve_recipe("single", {"views": 2, "batch_size": 4}),
        ),
        learning=runs.LearningConfig(epochs=1),
    )
    run = runs.train(tmp_path / "run", config)
    assert run.load_explainer().teacher.labels == sorted(COLOURS)


@pytest.mark.one_backend
def test_an_interrupted_fit_goes_on_to_the_same_weights(
    data: Path, tmp_path: Path, monkeypatch
) -> None:
    def fit(out: Path, **changes):
        return kx.zoo.fit_teacher(
            "AlexNet", data, out, settings=QUICK, **SMALL, **changes
        )

    whole = fit(tmp_path / "whole")
    write, written = room.TrainingState.write, []

    def stop(self, path):
        write(self, path)
        written.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(room.TrainingState, "write", stop)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", resume=True)
    monkeypatch.undo()
    assert (tmp_path / "parts" / room.STATE).exists()
    assert not (tmp_path / "parts" / "teacher.json").exists()
    told = []
    parts = fit(
        tmp_path / "parts",
        resume=True,
        progress=lambda stage, done, total, figures: told.append((stage, done, total)),
    )
    learned = [entry for entry in told if entry[0] == "Learning"]
    assert learned[0][1] > 0.5 * learned[0][2]
    assert learned[-1][1] == learned[-1][2]
    for mine, theirs in zip(parts.model.weights, whole.model.weights, strict=True):
        np.testing.assert_allclose(
            np.asarray(mine), np.asarray(theirs), rtol=1e-5, atol=1e-6
        )
    # Complete: nothing is left to do, and other settings are refused.
    assert fit(tmp_path / "parts", resume=True).fingerprint == parts.fingerprint
    with pytest.raises(RunError, match="other settings: epochs 3, not 2"):
        kx.zoo.fit_teacher(
            "AlexNet",
            data,
            tmp_path / "parts",
            settings=FitSettings(**{**QUICK.__dict__, "epochs": 3}),
            resume=True,
            **SMALL,
        )
    with pytest.raises(RunError, match="holds a teacher already"):
        fit(tmp_path / "parts")


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("name", "alpha", "train", "learned"),
    [
        (
            "MobileNet",
            0.25,
            "top",
            {"conv_dw_12", "conv_pw_12", "conv_dw_13", "conv_pw_13"},
        ),
        ("AlexNet", 0.1, "head", set()),
    ],
)
def test_weights_that_were_given_stay_where_nothing_learns(
    name: str, alpha: float, train: str, learned: set, data: Path, tmp_path: Path
) -> None:
    """Nor do the batch statistics move, which they do in other layers that learn."""
    config = kx.zoo.ZooConfig.named(name)
    model = kx.zoo.teacher(
        config, weights=None, input_shape=(SIDE, SIDE, 3), alpha=alpha
    ).model
    for weight in model.weights:
        if "kernel" not in weight.name:
            weight.assign(np.random.default_rng(0).uniform(0.3, 1, weight.shape))
    path = tmp_path / "begin.weights.h5"
    model.save_weights(path)
    teacher = kx.zoo.fit_teacher(
        name,
        data,
        tmp_path / "out",
        settings=FitSettings(**{**QUICK.__dict__, "epochs": 1, "train": train}),
        **{**SMALL, "weights": path, "arguments": {"alpha": alpha}},
    )
    moved = set()
    for mine, theirs in zip(teacher.model.layers, model.layers, strict=True):
        if mine.name in ("conv_preds", "fc8"):
            continue
        for new, old in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            if not np.array_equal(new, old):
                moved.add(mine.name)
    assert moved == learned


@pytest.mark.one_backend
def test_batch_statistics_of_a_short_fit_are_the_images(
    data: Path, tmp_path: Path
) -> None:
    """Fifteen steps from zero, which Keras' own momentum would hardly leave."""
    teacher = kx.zoo.fit_teacher(
        "MobileNet",
        data,
        tmp_path / "out",
        settings=FitSettings(**{**QUICK.__dict__, "epochs": 3}),
        **{**SMALL, "arguments": {"alpha": 0.25}},
    )
    norm = teacher.model.get_layer("conv1_bn")
    assert norm.momentum == 0.99  # whoever learns on has Keras' own
    train = read_classes(data, image_size=(SIDE, SIDE)).train
    pixels = train.images(np.arange(len(train)))
    before = keras.Model(teacher.model.inputs, norm.input)
    seen = np.asarray(before.predict(teacher.preprocess(pixels), verbose=0))
    mean = seen.mean((0, 1, 2))
    away = np.abs(np.asarray(norm.moving_mean) - mean).mean() / np.abs(mean).mean()
    assert away < 0.4


@pytest.mark.one_backend
def test_one_category_against_negatives(data: Path, tmp_path: Path) -> None:
    negatives = draw(tmp_path, {"grey": (120, 120, 120)}, 12) / "grey"
    found = read_classes(
        data, image_size=(SIDE, SIDE), category="red", negatives=negatives
    )
    assert found.names == ("red", "negatives")
    counts = np.bincount(found.train.labels)
    assert counts.tolist() == [13, 10] and len(found.test) == 5
    rows = np.array([0, len(found.train) - 1, 1])
    images = found.train.images(rows)
    assert images[0].mean((0, 1)).argmax() == images[2].mean((0, 1)).argmax() == 0
    assert np.ptp(images[1].mean((0, 1))) < 10
    # Without negatives: against the other categories.
    found = read_classes(data, image_size=(SIDE, SIDE), category="red")
    assert found.names == ("red", "negatives")
    assert np.bincount(found.train.labels).tolist() == [13, 26]


@pytest.mark.one_backend
def test_batches_depend_on_seed_and_epoch_alone(data: Path) -> None:
    classes = read_classes(data, image_size=(SIDE, SIDE))
    mode = Preprocessing("tf")
    first = TrainingImages(classes.train, mode, 8, seed=0, epoch=0)
    images, _, weights = first[1]
    assert images.shape == (8, SIDE, SIDE, 3) and np.abs(images).max() <= 1
    assert weights == pytest.approx(np.ones(8))
    again = TrainingImages(classes.train, mode, 8, seed=0, epoch=0)
    np.testing.assert_array_equal(again[1][0], images)
    later = TrainingImages(classes.train, mode, 8, seed=0, epoch=1)
    assert not np.array_equal(later[1][0], images)


# Bad input


def test_classes_without_images(data: Path, tmp_path: Path) -> None:
    few = draw(tmp_path / "few", {"blue": (0, 0, 200)}, 8)
    (few / "red").mkdir()
    Image.new("RGB", (SIDE, SIDE)).save(few / "red" / "only.png")
    size = {"image_size": (SIDE, SIDE)}
    with pytest.raises(DataError, match=r"without images to \w+ \w+: red"):
        read_classes(few, **size)
    with pytest.raises(DataError, match=r"one class.*--negatives"):
        read_classes(draw(tmp_path / "one", {"blue": (0, 0, 200)}, 8), **size)
    flat = draw(tmp_path / "flat", {"blue": (0, 0, 200)}, 8) / "blue"
    with pytest.raises(DataError, match="no class"):
        read_classes(flat, **size)
    with pytest.raises(DataError, match="blue"):
        read_classes(data, category="bleu", **size)
    with pytest.raises(DataError, match=r"blue only.*--negatives"):
        read_classes(tmp_path / "one", category="blue", **size)


@pytest.mark.one_backend
def test_fits_that_cannot_be(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="MobileNet"):
        kx.zoo.fit_teacher("MobilNet", data, tmp_path / "a", **SMALL)
    with pytest.raises(ConfigError, match="classes follows"):
        kx.zoo.fit_teacher(
            "AlexNet",
            data,
            tmp_path / "b",
            **{**SMALL, "arguments": {"classes": 3}},
        )
    with pytest.raises(ConfigError, match="train is one of"):
        FitSettings(train="bottom")
    with pytest.raises(ConfigError, match="epochs must be at least 1"):
        FitSettings(epochs=0)
    with pytest.raises(DivergenceError, match="--learning-rate"):
        kx.zoo.fit_teacher(
            "AlexNet",
            data,
            tmp_path / "c",
            settings=FitSettings(**{**QUICK.__dict__, "learning_rate": 1e30}),
            **SMALL,
        )


@pytest.mark.one_backend
def test_folders_that_hold_no_teacher(fitted: Path, tmp_path: Path) -> None:
    with pytest.raises(TeacherError, match="holds no teacher"):
        kx.Teacher.from_folder(tmp_path)
    record = json.loads((fitted / "teacher.json").read_text())
    for change, message in (
        ({"file": "../teacher.keras"}, "in the same folder"),
        ({"sha256": "0" * 64}, "sha256"),
    ):
        (tmp_path / "teacher.json").write_text(json.dumps({**record, **change}))
        (tmp_path / "teacher.keras").write_bytes(
            (fitted / "teacher.keras").read_bytes()
        )
        with pytest.raises(TeacherError, match=message):
            kx.Teacher.from_folder(tmp_path)
    (tmp_path / "teacher.json").write_text("{}")
    with pytest.raises(TeacherError, match="lacks"):
        kx.Teacher.from_folder(tmp_path)
    with pytest.raises(ConfigError, match="weights goes with"):
        runs.make_teacher(fitted, weights="imagenet")
