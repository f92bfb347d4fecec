"""Learning a run: resumed, repeated, stopped early, diverged, refused."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from typing import Any

import drawn_data
import keras
import numpy as np
import pytest

from keras_explainer import runs
from keras_explainer.errors import (
    ConfigError,
    DataError,
    DivergenceError,
    RunError,
    TeacherError,
)
from keras_explainer.teachers import Teacher


class Interrupt(keras.callbacks.Callback):
    """Ends learning in the middle of an epoch, as a killed process would."""

    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def weights_of(run: runs.RunFolder, teacher: Teacher) -> dict[str, np.ndarray]:
    explainer = run.load_explainer(teacher)
    return {
        f"{number}:{variable.name}": keras.ops.convert_to_numpy(variable.value)
        for number, variable in enumerate(explainer.variables)
    }


def assert_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def logged(run: runs.RunFolder) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]


def test_an_interrupted_run_ends_with_the_weights_of_one_that_was_not(
    run, config, teacher, tmp_path, eager
):
    """So do two runs of one seed: the first interruption leaves no epoch behind."""
    out = tmp_path / "resumed"
    for epoch, batch, done in ((0, 1, 0), (1, 1, 1), (2, 0, 2)):
        with pytest.raises(KeyboardInterrupt):
            runs.train(
                out,
                config,
                teacher=teacher,
                resume=True,
                callbacks=[Interrupt(epoch, batch)],
            )
        with pytest.raises(RunError, match=f"interrupted after {done} of 3 epochs"):
            runs.RunFolder.open(out)
    done = runs.resume(out, teacher=teacher)
    assert done.config.status == "complete"
    assert_same(weights_of(done, teacher), weights_of(run, teacher))
    assert logged(done) == logged(run)
    assert sorted(p.name for p in out.iterdir()) == [
        "config.json",
        "explainer.keras",
        "history.json",
        "log.csv",
        "split.json",
    ]


@pytest.mark.one_backend
def test_early_stopping_keeps_the_best_weights_also_when_resumed(
    changed, teacher, tmp_path, eager
):
    light = changed(
        "learning", epochs=6, patience=1, validation_share=0.25, monitor="val_p"
    )
    # At this rate p soon goes past where the reconstruction wants it, and back.
    recipe = runs.resolve_recipe(light.explainer.recipe, {"learning_rate": 0.1})
    config = replace(light, explainer=replace(light.explainer, recipe=recipe))
    whole = runs.train(tmp_path / "whole", config, teacher=teacher)
    values = [row["val_p"] for row in whole.history]
    best = int(np.argmax(values))
    assert best > 0 and len(values) == best + 2 < 6
    share = whole.load_explainer(teacher).share
    np.testing.assert_allclose(share, values[best], rtol=1e-6)

    out = tmp_path / "resumed"
    with pytest.raises(KeyboardInterrupt):
        runs.train(
            out, config, teacher=teacher, callbacks=[Interrupt(len(values) - 1, 0)]
        )
    done = runs.resume(out, teacher=teacher)
    assert logged(done) == logged(whole)
    assert_same(weights_of(done, teacher), weights_of(whole, teacher))
    assert done.config.facts.train_images == 12
    assert done.config.facts.validation_images == 4


@pytest.mark.one_backend
def test_divergence_keeps_the_last_good_weights_and_says_so(
    changed, light, teacher, tmp_path, eager
):
    recipe = runs.resolve_recipe(light.explainer.recipe, {"learning_rate": 1e30})
    wild = changed("explainer", recipe=recipe)
    out = tmp_path / "wild"
    with pytest.raises(DivergenceError, match="last good epoch") as caught:
        runs.train(out, wild, teacher=teacher)
    assert str(out) in str(caught.value)
    kept = runs.RunFolder.open(out)
    assert kept.config.status == "diverged"
    assert "loss became" in kept.config.message
    weights = weights_of(kept, teacher)
    assert all(np.isfinite(values).all() for values in weights.values())
    assert max(np.abs(values).max() for values in weights.values()) < 1e6
    assert kept.history[-1]["loss"] is None or np.isfinite(kept.history[-1]["loss"])
    with pytest.raises(RunError, match="smaller learning rate"):
        runs.resume(out, teacher=teacher)
    metrics = runs.evaluate(kept, teacher=teacher)
    assert metrics["explainer"]["p"] is not None


def test_a_complete_run_is_left_as_it_is(run, config, teacher):
    before = (run.path / "explainer.keras").read_bytes()
    again = runs.train(run.path, config, teacher=teacher, resume=True)
    assert again.config.status == "complete"
    assert (run.path / "explainer.keras").read_bytes() == before


def test_a_run_is_not_replaced_unless_asked(run, config, teacher, tmp_path):
    with pytest.raises(RunError, match=r"holds a run already.*--resume.*--overwrite"):
        runs.train(run.path, config, teacher=teacher)
    foreign = tmp_path / "papers"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"no run's, 'thesis\.txt'"):
            runs.train(foreign, config, teacher=teacher, overwrite=overwrite)
    (foreign / "config.json").write_text('{"title": "thesis"}')
    with pytest.raises(RunError, match=r"no run's: it is not overwritten"):
        runs.train(foreign, config, teacher=teacher, overwrite=True)
    with pytest.raises(RunError, match="is a file"):
        runs.train(foreign / "thesis.txt", config, teacher=teacher)
    assert (foreign / "thesis.txt").read_text() == "years of work"


@pytest.mark.one_backend
def test_overwrite_replaces_a_run_and_nothing_else(
    run, changed, teacher, tmp_path, eager
):
    out = tmp_path / "old"
    shutil.copytree(run.path, out)
    (out / "metrics.json").write_text("{}")
    (out / "notes.txt").write_text("mine")
    new = runs.train(
        out, changed("learning", epochs=1), teacher=teacher, overwrite=True
    )
    assert len(new.history) == 1
    assert new.metrics is None
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.one_backend
def test_resuming_with_other_settings_or_images_is_refused(
    light, teacher, images, tmp_path, eager
):
    data = tmp_path / "data"
    shutil.copytree(images, data)
    out = tmp_path / "run"
    own = replace(light, data=replace(light.data, directory=str(data)))
    with pytest.raises(KeyboardInterrupt):
        runs.train(out, own, teacher=teacher, callbacks=[Interrupt(1, 0)])
    other = replace(own, learning=replace(own.learning, epochs=9))
    with pytest.raises(RunError, match=r"learning\.epochs 9, not 3"):
        runs.train(out, other, teacher=teacher, resume=True)
    other = replace(own, explainer=replace(own.explainer, filters=6))
    with pytest.raises(RunError, match=r"explainer\.filters 6, not 5"):
        runs.train(out, other, teacher=teacher, resume=True)
    stranger = Teacher(drawn_data.small_model(seed=7), tap="tap", targets=["high"])
    with pytest.raises(RunError, match="teacher's weights or layers have changed"):
        runs.resume(out, teacher=stranger)
    train_file = data / "images" / "000.png"
    kept = train_file.read_bytes()
    shutil.copy(data / "images" / "001.png", train_file)
    with pytest.raises(RunError, match="train images have changed"):
        runs.resume(out, teacher=teacher)
    train_file.write_bytes(kept)
    moved = tmp_path / "moved"
    data.rename(moved)
    with pytest.raises(DataError, match="There is no folder"):
        runs.resume(out, teacher=teacher)
    done = runs.resume(out, teacher=teacher, directory=moved)
    assert done.config.data.directory == str(moved)
    assert done.config.status == "complete"


@pytest.mark.one_backend
@pytest.mark.slow
def test_an_interrupted_run_with_places_ends_with_the_same_weights(
    config, teacher, tmp_path
):
    """Places are learned before the first epoch, and not a second time."""
    settings = {"places": 2}
    recipe = runs.resolve_recipe("places", {**settings, "batch_size": 6, "views": 2})
    explainer = replace(config.explainer, filters=4, recipe=recipe)
    learning = replace(config.learning, epochs=2)
    config = replace(config, explainer=explainer, learning=learning)
    whole = runs.train(tmp_path / "whole", config, teacher=teacher)
    out = tmp_path / "resumed"
    for at in ((0, 1), (1, 1)):
        with pytest.raises(KeyboardInterrupt):
            runs.train(
                out, config, teacher=teacher, resume=True, callbacks=[Interrupt(*at)]
            )
    done = runs.resume(out, teacher=teacher)
    assert_same(weights_of(done, teacher), weights_of(whole, teacher))
    assert logged(done) == logged(whole)


@pytest.mark.one_backend
def test_a_run_begun_with_other_software_goes_on_and_says_so(
    light, teacher, tmp_path, eager, caplog
):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        runs.train(out, light, teacher=teacher, callbacks=[Interrupt(1, 0)])
    path = out / "config.json"
    content = json.loads(path.read_text())
    content["versions"] |= {"keras": "3.0.0", "backend": "abacus"}
    path.write_text(json.dumps(content))
    left = [out / ".tmp-1.json", out / "backup" / ".tmp-2.npz"]
    for file in left:  # of a write that was killed
        file.write_text("half")
    with caplog.at_level("WARNING"):
        assert runs.resume(out, teacher=teacher).config.status == "complete"
    (said,) = [one.message for one in caplog.records if "other software" in one.message]
    assert "keras 3.0.0, now" in said and "backend abacus, now" in said
    assert not any(file.exists() for file in left)


def test_learning_sees_no_test_image_and_no_annotation(run, images, teacher):
    files, _ = drawn_data.centres(images)
    assert run.split["test"] == files
    assert len(run.split["train"]) == run.config.facts.train_images == 16
    assert not set(run.split["train"]) & set(files)
    folder = run.image_folder(teacher.input_shape[:2])
    with pytest.raises(DataError, match="not available to learning"):
        _ = folder.train.centres


@pytest.mark.one_backend
def test_a_folder_without_a_table_is_split_once_and_for_all(
    changed, teacher, images, tmp_path, eager
):
    data = tmp_path / "plain"
    shutil.copytree(images / "images", data)
    (data / "broken.png").write_bytes(b"no image")
    config = changed("data", directory=str(data), test_share=0.25)
    config = replace(config, learning=replace(config.learning, epochs=1))
    run = runs.train(tmp_path / "run", config, teacher=teacher)
    assert run.split["how"] == "held_out"
    assert len(run.split["test"]) == 14
    listed = [*run.split["train"], *run.split["test"]]
    assert "broken.png" in listed
    for number in range(8):
        shutil.copy(data / "000.png", data / f"new{number}.png")
    folder = run.image_folder(teacher.input_shape[:2])
    assert set(run.split["test"]) <= set(folder.split_record()["test"])
    assert set(run.split["train"]) <= set(folder.split_record()["train"])
    metrics = runs.evaluate(run, teacher=teacher)
    assert metrics["data"]["annotated_images"] == 0
    assert metrics["explainer"]["location_instability"] is None
    assert metrics["explainer"]["concentration"] is not None


def test_log_and_history_hold_each_epoch(run):
    with (run.path / "log.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row, entry in zip(rows, run.history, strict=True):
        for name in ("loss", "p", "filter_loss", "explained_variance_high"):
            assert float(row[name]) == entry[name]
    config = json.loads((run.path / "config.json").read_text())
    assert config["versions"]["backend"] == keras.backend.backend()
    assert runs.RunConfig.from_dict(config) == run.config


@pytest.mark.one_backend
def test_progress_counts_up_in_every_stage(changed, teacher, tmp_path, eager):
    seen: dict[str, list[tuple[int, int]]] = {}

    def progress(stage: str, done: int, total: int, figures: Any) -> None:
        seen.setdefault(stage, []).append((done, total))

    config = changed("learning", epochs=2, validation_share=0.25)
    runs.train(tmp_path / "run", config, teacher=teacher, progress=progress)
    assert list(seen) == [
        "Reading images",
        "Teacher's features",
        "Features to validate on",
        "Learning",
    ]
    for stage, steps in seen.items():
        assert steps == sorted(steps), stage
        assert steps[-1][0] == steps[-1][1], stage


@pytest.mark.one_backend
def test_the_teacher_runs_once_per_image_and_view(
    changed, teacher, tmp_path, monkeypatch, eager
):
    config = changed("learning", epochs=1, cache_dir=str(tmp_path / "cache"))
    recipe = runs.resolve_recipe(config.explainer.recipe, {"views": 2})
    config = replace(config, explainer=replace(config.explainer, recipe=recipe))
    counted = []
    extract = teacher.extract

    def counting(images: Any, **settings: Any) -> Any:
        counted.append(len(images))
        return extract(images, **settings)

    monkeypatch.setattr(teacher, "extract", counting)
    runs.train(tmp_path / "first", config, teacher=teacher)
    assert sum(counted) == 16 * 2
    counted.clear()
    runs.train(tmp_path / "second", config, teacher=teacher)
    assert sum(counted) == 0


@pytest.mark.parametrize(
    ("section", "settings", "error", "message"),
    [
        ("data", {"directory": "nowhere"}, DataError, "no folder nowhere"),
        ("data", {"category": "dogs"}, DataError, "no category 'dogs'.*dog"),
        ("learning", {"validation_share": 0.99}, DataError, "two must be left"),
        ("learning", {"patience": 1, "monitor": "los"}, ConfigError, "loss"),
        ("explainer", {"decoder": "fcc"}, ConfigError, "no decoder 'fcc'.*fc"),
    ],
)
def test_what_cannot_be_learned_leaves_no_folder(
    changed, teacher, tmp_path, section, settings, error, message
):
    with pytest.raises(error, match=message):
        runs.train(tmp_path / "run", changed(section, **settings), teacher=teacher)
    assert not (tmp_path / "run").exists()


def test_one_image_and_no_images_are_refused(changed, teacher, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    config = changed("data", directory=str(folder))
    with pytest.raises(DataError, match="no images"):
        runs.train(tmp_path / "run", config, teacher=teacher)
    drawn_data.Image.new("RGB", (9, 9)).save(folder / "one.png")
    with pytest.raises(DataError, match="from one image"):
        runs.train(tmp_path / "run", config, teacher=teacher)


def test_a_teacher_is_needed(config, changed, tmp_path):
    with pytest.raises(ConfigError, match="needs a teacher"):
        runs.train(tmp_path / "run", replace(config, teacher=None))
    with pytest.raises(ConfigError, match="without weights would be random"):
        runs.make_teacher("MobileNet")
    with pytest.raises(TeacherError, match="MobileNet"):
        runs.make_teacher("MobilNet", weights="imagenet")
    with pytest.raises(ConfigError, match="weights goes with a network's name"):
        runs.make_teacher("my.keras", weights="w.h5")
    with pytest.raises(ConfigError, match="option of its own"):
        runs.make_teacher("MobileNet", weights="w.h5", arguments={"tap": "x"})


@pytest.mark.one_backend
def test_a_teacher_object_without_a_source_is_handed_over_again(
    light, tmp_path, eager, images
):
    made = Teacher(drawn_data.small_model(), tap="tap", targets=["high"])
    config = replace(light, teacher=None, learning=replace(light.learning, epochs=1))
    run = runs.train(tmp_path / "run", config, teacher=made)
    assert run.config.teacher is None
    with pytest.raises(RunError, match="hand it over again"):
        runs.RunFolder.open(run.path).load_explainer()
    assert run.load_explainer(made).has_teacher
