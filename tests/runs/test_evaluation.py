"""`evaluate`: the figures of metrics.json against slow references."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import drawn_data
import keras
import numpy as np
import pytest

from keras_explainer import runs
from keras_explainer.datasets import ImageArray
from keras_explainer.errors import ConfigError, DataError, RunError, TeacherError
from keras_explainer.teachers import Teacher

MAP_FIGURES = {
    "location_instability",
    "part_tracking_share",
    "tracking_by_part",
    "landmark_error",
    "landmark_mean_predictor",
    "landmark_by_part",
    "distinct_positions",
    "concentration",
    "filter_correlation",
    "dead_filters",
    "filters",
}
ANNOTATED = {name for name in MAP_FIGURES if "landmark" in name} | {
    "location_instability",
    "part_tracking_share",
    "tracking_by_part",
}


@pytest.fixture(scope="module")
def metrics(run, teacher):
    return runs.evaluate(run, teacher=teacher, batch_size=7)


@pytest.fixture(scope="module")
def explainer(run, teacher):
    return run.load_explainer(teacher)


@pytest.fixture(scope="module")
def test_images(run, teacher):
    return run.image_folder(teacher.input_shape[:2]).test


def assert_close(found, expected):
    """Figures that are numbers, lists of numbers, or None."""
    assert (found is None) == (expected is None)
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for pair in zip(found, expected, strict=True):
            assert_close(*pair)
    elif expected is not None:
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_keys_are_those_that_others_build_on(metrics):
    assert set(metrics) == {
        "schema_version",
        "data",
        "teacher",
        "explainer",
        "baselines",
    }
    assert metrics["schema_version"] == 1
    assert set(metrics["teacher"]) == MAP_FIGURES | {"accuracy"}
    assert set(metrics["explainer"]) == MAP_FIGURES | {
        "p",
        "p_variance_share",
        "explained_variance",
        "kl",
        "top1_agreement",
        "top1_constant",
        "without_ordinary",
        "without_interpretable",
        "accuracy",
    }
    assert set(metrics["baselines"]) == {"constant_position"}
    assert set(metrics["baselines"]["constant_position"]) == MAP_FIGURES
    for gone in ("without_ordinary", "without_interpretable"):
        assert set(metrics["explainer"][gone]) == {
            "explained_variance",
            "top1_agreement",
        }
        assert set(metrics["explainer"][gone]["explained_variance"]) == {
            "high",
            "logits",
        }
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_map_figures_are_those_of_the_reference(
    metrics, explainer, teacher, images, test_images, reference
):
    files, centres = drawn_data.centres(images)
    assert test_images.files == files
    chosen = ~np.isnan(centres[..., 0]).all(1)
    assert 0 < chosen.sum() < len(chosen)
    size = drawn_data.INPUT[:2]
    maps = explainer.predict(test_images, outputs=("maps",), verbose=0)["maps"]
    tap, _ = teacher.extract(test_images.load())
    assert maps.shape == (len(files), 10, 12, 5)
    constant = np.ones((chosen.sum(), 1, 1, 1))
    for found, array in (
        (metrics["explainer"], maps[chosen]),
        (metrics["teacher"], tap[chosen]),
        (metrics["baselines"]["constant_position"], constant),
    ):
        expected = reference.figures(array, centres[chosen], size)
        for name in MAP_FIGURES:
            assert_close(found[name], expected[name])
    assert metrics["explainer"]["landmark_error"] is not None
    assert metrics["data"] == {
        "directory": str(images),
        "category": None,
        "split": "column",
        "image_size": list(size),
        "images": len(files),
        "annotated_images": int(chosen.sum()),
        "parts": ["head", "legs"],
        "content_hash": test_images.content_hash,
        "bad": [],
    }


def softmax(logits):
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    return exponent / exponent.sum(1, keepdims=True)


def variance_explained(features, rebuilt):
    features, rebuilt = features.astype("float64"), rebuilt.astype("float64")
    total = np.square(features - features.mean(0)).sum()
    return 1 - np.square(features - rebuilt).sum() / total


def test_fidelity_figures_are_those_of_their_definitions(
    metrics, run, explainer, teacher, test_images
):
    pixels = test_images.load()
    _, targets = teacher.extract(pixels)
    logits = teacher.classify(pixels)["logits"]
    answers = logits.argmax(1)
    tracks = explainer.predict(
        test_images, outputs=("interpretable", "ordinary", "encoding"), verbose=0
    )
    train = run.image_folder(teacher.input_shape[:2]).train
    learned = explainer.predict(train, outputs=("interpretable", "ordinary"), verbose=0)
    share = explainer.share
    means = {name: array.mean(0) for name, array in learned.items()}
    interpretable, ordinary = tracks["interpretable"], tracks["ordinary"]
    encodings = {
        None: share * interpretable + (1 - share) * ordinary,
        "without_ordinary": share * interpretable + (1 - share) * means["ordinary"],
        "without_interpretable": share * means["interpretable"]
        + (1 - share) * ordinary,
    }
    np.testing.assert_allclose(
        encodings[None], tracks["encoding"], rtol=1e-5, atol=1e-5
    )
    for gone, encoding in encodings.items():
        found = metrics["explainer"] if gone is None else metrics["explainer"][gone]
        rebuilt = keras.ops.convert_to_numpy(
            explainer.decode(encoding.astype("float32"))["high"]
        )
        answer = keras.ops.convert_to_numpy(teacher.head(rebuilt)["logits"])
        for name, expected in (
            ("high", variance_explained(targets["high"], rebuilt)),
            ("logits", variance_explained(logits, answer)),
        ):
            figure = found["explained_variance"][name]
            assert figure == pytest.approx(expected, rel=2e-4, abs=2e-4), (gone, name)
        agreement = (answer.argmax(1) == answers).mean()
        assert found["top1_agreement"] == pytest.approx(agreement)
        if gone is None:
            p, q = softmax(logits.astype("float64")), softmax(answer.astype("float64"))
            kl = (p * np.log(p / q)).sum(1).mean()
            assert metrics["explainer"]["kl"] == pytest.approx(kl, rel=1e-3)
            labels = [drawn_data.LABELS.index(label) for label in test_images.labels]
            right = (answer.argmax(1) == labels).mean()
            assert metrics["explainer"]["accuracy"] == pytest.approx(right)
            right = (answers == labels).mean()
            assert metrics["teacher"]["accuracy"] == pytest.approx(right)
    constant = np.bincount(answers).max() / len(answers)
    assert metrics["explainer"]["top1_constant"] == pytest.approx(constant)
    assert constant < 0.9
    assert metrics["explainer"]["p"] == pytest.approx(share)
    spread = {name: array.var(0).mean() for name, array in learned.items()}
    part = share**2 * spread["interpretable"]
    whole = part + (1 - share) ** 2 * spread["ordinary"]
    assert metrics["explainer"]["p_variance_share"] == pytest.approx(
        part / whole, rel=1e-4
    )


def test_batches_change_nothing(metrics, run, teacher):
    whole = runs.evaluate(run, teacher=teacher, batch_size=64)

    def compare(a, b):
        if isinstance(a, dict):
            for name in a:
                compare(a[name], b[name])
        elif not isinstance(a, str):
            assert_close_enough(a, b)

    def assert_close_enough(a, b):
        if isinstance(a, list):
            assert len(a) == len(b)
            return
        assert a == b if a is None else a == pytest.approx(b, rel=1e-3, abs=1e-4)

    compare(metrics, whole)


def test_what_cannot_be_had_is_null(explainer, teacher, test_images):
    pixels = test_images.load()[:1]
    found = runs.evaluate(explainer, ImageArray(pixels))
    assert all(found["explainer"][name] is None for name in ANNOTATED)
    assert found["explainer"]["explained_variance"] == {"high": None, "logits": None}
    assert found["explainer"]["top1_agreement"] in (0.0, 1.0)
    assert found["explainer"]["top1_constant"] == 1.0
    assert found["explainer"]["accuracy"] is None
    assert found["data"]["images"] == 1
    baseline = found["baselines"]["constant_position"]
    assert all(baseline[name] is None for name in ANNOTATED)
    assert baseline["distinct_positions"] == 1.0


def test_one_annotated_image(explainer, test_images):
    found = runs.evaluate(explainer, test_images.subset([1]))
    assert found["data"]["annotated_images"] == 1
    assert found["explainer"]["location_instability"] is None
    assert found["explainer"]["part_tracking_share"] == 0.0


@pytest.mark.one_backend
def test_a_teacher_without_a_head_has_no_answer(tmp_path, light, eager):
    layers = drawn_data.keras.layers
    model = drawn_data.small_model()
    trunk = drawn_data.keras.Model(
        model.inputs, layers.Reshape((360,))(model.get_layer("high").output)
    )
    trunk.save(tmp_path / "trunk.keras")
    headless = runs.make_teacher(tmp_path / "trunk.keras", tap="tap", targets=["high"])
    assert headless.logits_activation is None
    config = replace(
        light,
        teacher=headless.source,
        learning=replace(light.learning, epochs=1),
    )
    run = runs.train(tmp_path / "run", config, teacher=headless)
    found = runs.evaluate(run, teacher=headless)["explainer"]
    assert found["explained_variance"]["high"] is not None
    assert found["explained_variance"]["logits"] is None
    for name in ("kl", "top1_agreement", "top1_constant", "accuracy"):
        assert found[name] is None, name
    assert found["without_ordinary"]["top1_agreement"] is None
    assert found["without_ordinary"]["explained_variance"]["high"] is not None


@pytest.mark.one_backend
def test_a_category_and_another_folder(run, teacher, images, tmp_path):
    found = runs.evaluate(run, teacher=teacher, category="dog")
    assert found["data"]["category"] == "dog"
    assert found["data"]["images"] == 20
    moved = tmp_path / "moved"
    shutil.copytree(images, moved)
    (moved / "images" / "017.png").write_bytes(b"broken")
    found = runs.evaluate(run, moved, teacher=teacher)
    assert found["data"]["directory"] == str(moved)
    assert [bad["path"] for bad in found["data"]["bad"]] == ["images/017.png"]
    assert found["data"]["images"] == 39
    with pytest.raises(DataError, match=r"017\.png"):
        runs.evaluate(run, moved, teacher=teacher, on_bad="raise")
    with pytest.raises(DataError, match=r"no category 'dgo'.*dog"):
        runs.evaluate(run, teacher=teacher, category="dgo")


@pytest.mark.one_backend
def test_learned_images_are_left_out_of_another_split(run, teacher, images, tmp_path):
    """Without the column, the images that were learned from stay out all the same."""
    plain = tmp_path / "plain"
    shutil.copytree(images, plain)
    (plain / "parts.csv").unlink()
    folder = run.image_folder(teacher.input_shape[:2], directory=plain)
    assert not set(folder.test.files) & set(run.split["train"])


def test_arguments_that_cannot_be_used(run, explainer, teacher, images):
    with pytest.raises(ConfigError, match="needs data"):
        runs.evaluate(explainer)
    with pytest.raises(DataError, match="got int"):
        runs.evaluate(explainer, 7)
    with pytest.raises(DataError, match=r"the teacher takes \(40, 48, 3\)"):
        runs.evaluate(explainer, ImageArray(np.zeros((2, 48, 48, 3), "uint8")))
    with pytest.raises(ConfigError, match="go with a folder's path"):
        runs.evaluate(
            explainer,
            ImageArray(np.zeros((2, *drawn_data.INPUT), "uint8")),
            category="dog",
        )
    with pytest.raises(RunError, match="no run folder"):
        runs.evaluate(images)
    stranger = Teacher(drawn_data.small_model(seed=7), tap="tap", targets=["high"])
    with pytest.raises(TeacherError, match=r"not the teacher.*weights differ"):
        runs.evaluate(run, teacher=stranger)
