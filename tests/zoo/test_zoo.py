"""The zoo: entries, and files that are known by their hash, shipped or hosted."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_explainer.zoo import ZooEntry, ZooFile, load, load_teacher, model_card
from keras_explainer.zoo.creatures.readable import ADDED, save_readable

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.errors import ZooError

FOLDER = Path(__file__).resolve().parents[2] / "zoo"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def explainer():
    return kx.zoo.load("creatures")


@pytest.fixture
def hosted(tmp_path, monkeypatch):
    """An entry whose files are not shipped, and their server's folder."""
    server, root = tmp_path / "server", tmp_path / "zoo"
    shutil.copytree(FOLDER / "creatures", server)
    (root / "creatures").mkdir(parents=True)
    for name in ("teacher.json", "explainer.json"):
        record = json.loads((server / name).read_text())
        record["url"] = (server / record["file"]).as_uri()
        (root / "creatures" / name).write_text(json.dumps(record))
    monkeypatch.setenv("KERAS_EXPLAINER_CACHE", str(tmp_path / "cache"))
    return ZooEntry("creatures", root), server, tmp_path / "cache"


def test_the_shipped_explainer_explains_at_once(explainer):
    drawn = Creatures(96, ["griffin"], seed=41).generate(6)
    assert explainer.teacher.labels[-1] == "griffin"
    found = explainer.explain(drawn.images, verbose=0)
    answers = [explanation.answer.label for explanation in found]
    assert answers.count("griffin") >= 4
    assert all(explanation.present for explanation in found)
    # Where its maker kept the teacher is nobody's business.
    assert explainer.teacher_card["source"]["path"] == "teacher.keras"


def test_shipped_files_name_nothing_that_an_older_keras_refuses():
    entry = ZooEntry("creatures")
    for record in (entry.teacher, entry.explainer):
        with zipfile.ZipFile(entry.folder / record["file"]) as archive:
            config = archive.read("config.json").decode()
        assert '"HeNormal"' in config
        assert not [name for name in ADDED if f'"{name}"' in config], record["file"]


def test_what_an_older_keras_cannot_compute_is_not_saved_for_it(tmp_path):
    image = keras.Input((4, 4, 3))
    norm = keras.layers.BatchNormalization()
    model = keras.Model(image, norm(image))
    save_readable(model, tmp_path / "plain.keras")
    images = np.ones((1, 4, 4, 3), "float32")
    again = keras.saving.load_model(tmp_path / "plain.keras")
    np.testing.assert_array_equal(again(images), model(images))
    if not hasattr(norm, "renorm"):
        pytest.skip("this Keras has no renorm")
    norm.renorm = True
    with pytest.raises(ValueError, match="renorm"):
        save_readable(model, tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


def test_records_say_what_the_files_are():
    assert "creatures" in ZooEntry.names()
    entry = ZooEntry("creatures")
    for record in (entry.teacher, entry.explainer):
        path = entry.folder / record["file"]
        assert sha256(path) == record["sha256"]
        assert path.stat().st_size == record["bytes"] < 3_000_000
        assert record["licence"] == "Apache-2.0" and record["version"]
        assert record["training"]["command"].startswith("python zoo/creatures/")
    truth = entry.explainer["truth"]
    assert truth["distractor_test_passed"]
    assert truth["explainer"]["tracking"]["share"] >= 0.5
    assert truth["explainer"]["mask_iou"]["iou"] >= 0.3
    variance = entry.explainer["metrics"]["explainer"]["explained_variance"]
    assert variance["logits"] >= 0.8


def test_recorded_figures_are_those_of_the_files(explainer):
    """On the images of the record, anew: the numbers were not typed in."""
    from keras_explainer.demo import demo, ground_truth

    recorded = ZooEntry("creatures").explainer["truth"]
    creatures = Creatures(demo.IMAGE_SIZE, [demo.SPECIES], seed=demo.DATA_SEED)
    found = ground_truth(explainer, creatures.generate(demo.TEST, start=demo.TRAIN))
    for name in ("tracking", "mask_iou", "presence", "distractors"):
        for key, value in recorded["explainer"][name].items():
            got = found["explainer"][name][key]
            if isinstance(value, float):
                # Another backend's rounding may move a position that was a near tie.
                assert got == pytest.approx(value, abs=0.02), (name, key)


def test_hosted_files_are_downloaded_once_and_checked(hosted):
    entry, server, cache = hosted
    weights = load(entry).get_weights()
    for mine, shipped in zip(weights, load("creatures").get_weights(), strict=True):
        np.testing.assert_array_equal(mine, shipped)
    assert len(list(cache.iterdir())) == 2
    shutil.rmtree(server)
    assert load_teacher(entry).labels == load_teacher("creatures").labels


def test_another_file_at_the_address_is_not_loaded(hosted):
    entry, server, cache = hosted
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(
        server / "teacher.keras"
    )
    with pytest.raises(ZooError, match=r"teacher\.keras cannot be had from"):
        load(entry)
    assert [path.name[17:] for path in cache.rglob("*.keras")] == ["explainer.keras"]


def test_no_file_at_the_address(hosted):
    entry, server, _ = hosted
    (server / "explainer.keras").unlink()
    with pytest.raises(ZooError, match=r"explainer\.keras cannot be had from"):
        load(entry)


@pytest.mark.parametrize("place", ["cache", "package"])
def test_a_file_that_was_changed_is_refused(hosted, place, tmp_path):
    entry, server, cache = hosted
    load(entry)
    if place == "package":
        shutil.copytree(server, tmp_path / "other" / "creatures")
        entry = ZooEntry("creatures", tmp_path / "other")
        changed = entry.folder / "teacher.keras"
    else:
        (changed,) = cache.glob("*-teacher.keras")
    changed.write_bytes(changed.read_bytes() + b"x")
    with pytest.raises(ZooError, match="not the file that was published"):
        load(entry)


def test_a_cnn_without_an_explainer_says_how_to_have_one():
    with pytest.raises(ZooError, match=r"zoo build ResNet50.*creatures"):
        load("ResNet50")


def test_the_shipped_explainers_model_card_is_that_of_its_records():
    entry = ZooEntry("creatures")
    text = (entry.folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert text == model_card(entry.teacher, entry.explainer), (
        "run `keras-explainer zoo card creatures > zoo/creatures/MODEL_CARD.md`"
    )
    metrics = entry.explainer["metrics"]
    shares = [metrics[part]["part_tracking_share"] for part in ("explainer", "teacher")]
    row = " | ".join(f"{share:.3f}" for share in shares)
    assert f"| part tracking share ↑ | {row} | 0.000 |" in text


def test_unknown_entries_name_the_nearest():
    with pytest.raises(ZooError, match=r"no 'creature'.*creatures"):
        load("creature")


@pytest.mark.parametrize(
    "name", ["../teacher.keras", "/etc/passwd", "a/b.keras", ".keras", "model.pkl", ""]
)
def test_names_outside_the_folder_are_refused(name):
    with pytest.raises(ZooError, match="without folders"):
        ZooFile(name, "0" * 64)


@pytest.mark.parametrize(
    "url", ["http://host/a.keras", "ftp://host/a.keras", "a.keras"]
)
def test_addresses_without_encryption_are_refused(url):
    with pytest.raises(ZooError, match="https"):
        ZooFile("a.keras", "0" * 64, url)


@pytest.mark.parametrize("sha", ["", "0" * 63, "Z" * 64])
def test_every_file_needs_its_hash(sha):
    with pytest.raises(ZooError, match="64 hexadecimal digits"):
        ZooFile("a.keras", sha)
    with pytest.raises(ZooError, match="lacks sha256"):
        ZooFile.of({"file": "a.keras"})


@pytest.mark.parametrize("text", ["", "[]", "{", '{"file": "teacher.keras"}'])
def test_damaged_records(tmp_path, text):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "teacher.json").write_text(text)
    with pytest.raises(ZooError):
        load_teacher(ZooEntry("mine", tmp_path))


def test_a_record_without_a_file(tmp_path):
    (tmp_path / "mine").mkdir()
    record = {"file": "teacher.keras", "sha256": "0" * 64}
    (tmp_path / "mine" / "teacher.json").write_text(json.dumps(record))
    with pytest.raises(ZooError, match="no address is known"):
        load_teacher(ZooEntry("mine", tmp_path))
