"""Saving and loading: with the teacher, without it, with another."""

from __future__ import annotations

import json
import zipfile

import keras
import numpy as np
import pytest
from quick import EAGER, assert_bit_equal, learned, made, weights_of
from small_teacher import make_model, make_teacher

from keras_explainer.datasets import ImageArray
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError, TeacherError
from keras_explainer.explainer import Explainer, load

one_backend = pytest.mark.one_backend


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "small.keras"
    fitted.save(path)
    return path


def test_loaded_equals_saved(fitted, images, saved):
    # Another object of the same teacher, as in another process.
    loaded = load(saved, teacher=make_teacher())
    assert isinstance(loaded, Explainer)
    assert_bit_equal(weights_of(loaded), weights_of(fitted))
    assert loaded.recipe == fitted.recipe and loaded.filters == 6
    assert loaded.share == fitted.share and loaded.seed == fitted.seed
    found, expected = (one.predict(images, verbose=0) for one in (loaded, fitted))
    np.testing.assert_allclose(found["encoding"], expected["encoding"], atol=1e-6)
    np.testing.assert_allclose(
        found["reconstructions"]["top"], expected["reconstructions"]["top"], atol=1e-5
    )


@one_backend
def test_loaded_gives_the_same_figures(fitted, images, saved, small_teacher):
    loaded = load(saved, teacher=small_teacher)
    loaded.compile("adam", **EAGER)
    found, expected = (
        one.evaluate(images, verbose=0, return_dict=True) for one in (loaded, fitted)
    )
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3, nan_ok=True), name
    assert loaded.statistics.is_measured
    assert loaded.statistics.variance_share(0.4) == fitted.statistics.variance_share(
        0.4
    )


def test_learning_goes_on_after_loading(fitted, images, saved, small_teacher):
    """It does not start again: the first epoch is as good as the last one was."""
    loaded = load(saved, teacher=small_teacher)
    loaded.compile("adam", **EAGER)
    loaded.fit(images[:18], epochs=2, batch_size=8, verbose=0)
    history = loaded.history.history
    assert np.isfinite(history["loss"]).all()
    assert (
        history["reconstruction_loss"][0]
        < 1.3 * (fitted.history.history["reconstruction_loss"][-1])
    )
    assert not np.array_equal(
        loaded.encoder.get_weights()[0], fitted.encoder.get_weights()[0]
    )


@one_backend
def test_without_the_teacher_the_error_says_what_to_give(saved):
    with pytest.raises(TeacherError, match=r"small cut at 'tap'.*teacher=teacher"):
        load(saved)


@one_backend
@pytest.mark.parametrize(
    "options, message",
    [
        ({"seed": 1}, "weights differ"),
        ({"tap": "stem"}, "tap: learned on 'tap', given 'stem'"),
        ({"targets": ("top", "gap")}, "targets"),
        ({"preprocessing": "tf"}, "preprocessing"),
    ],
    ids=str,
)
def test_another_teacher_is_refused(saved, options, message):
    with pytest.raises(TeacherError, match=message):
        load(saved, teacher=make_teacher(**options))


@one_backend
def test_a_model_is_no_teacher(saved):
    with pytest.raises(ConfigError, match="Wrap a Keras model"):
        load(saved, teacher=make_model())


@one_backend
def test_used_without_its_teacher(fitted, images, saved):
    """Features are enough to predict; images need the teacher."""
    bare = keras.saving.load_model(saved, compile=False)
    assert not bare.has_teacher and bare.tap_shape == (6, 8, 12)
    cache = FeatureCache.build(fitted.teacher, ImageArray(images))
    np.testing.assert_allclose(
        bare.predict(cache, verbose=0)["encoding"],
        fitted.predict(images, verbose=0)["encoding"],
        atol=1e-4,
    )
    for use in (bare.predict, lambda x, **_: bare.teacher):
        with pytest.raises(TeacherError, match="attach"):
            use(images, verbose=0)
    bare.attach(fitted.teacher)
    assert bare.has_teacher
    bare.predict(images[:2], verbose=0)


@one_backend
def test_the_file_holds_no_teacher_weights_beyond_the_copy(fitted, saved):
    with zipfile.ZipFile(saved) as archive:
        config = json.loads(archive.read("config.json"))
    assert config["registered_name"] == "keras_explainer>Explainer"
    assert config["config"]["teacher_card"]["fingerprint"] == (
        fitted.teacher.fingerprint
    )
    teacher = {w.path for w in fitted.teacher.model.weights if "stem" in w.path}
    assert teacher and not teacher & {w.path for w in fitted.weights}


@one_backend
def test_files_that_are_none(saved, tmp_path, small_teacher):
    with pytest.raises(ConfigError, match="no file"):
        load(tmp_path / "missing.keras", small_teacher)
    junk = tmp_path / "junk.keras"
    junk.write_text("text")
    cut = tmp_path / "cut.keras"
    cut.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])
    for path in (junk, cut):
        with pytest.raises(ConfigError, match="cannot be loaded"):
            load(path, small_teacher)
    other = tmp_path / "other.keras"
    make_model().save(other)
    with pytest.raises(ConfigError, match="no explainer"):
        load(other, small_teacher)


SETTINGS = {
    "conv": {"decoder": "conv"},
    "learning copy": {"train_copy": True},
    "pooled, narrow masks": {"decoder": "conv", "pool_size": 2, "beta": 7.0},
    "bfloat16": {"dtype": "mixed_bfloat16"},
    "several peaks, drop": {"peaks": 2, "ordinary_drop": 0.4},
}


@one_backend
@pytest.mark.parametrize("settings", SETTINGS)
def test_every_kind_of_explainer(small_teacher, images, tmp_path, settings):
    explainer = learned(small_teacher, images, **SETTINGS[settings])
    path = tmp_path / "a.keras"
    explainer.save(path)
    loaded = load(path, small_teacher)
    loaded.compile("adam", **EAGER)
    assert loaded.recipe == explainer.recipe
    assert loaded.dtype_policy == explainer.dtype_policy
    assert_bit_equal(weights_of(loaded), weights_of(explainer))
    trained = [len(one.trainable_variables) for one in (loaded, explainer)]
    assert trained[0] == trained[1]
    found, expected = (
        np.asarray(one.predict(images[:5], verbose=0)["encoding"], "float32")
        for one in (loaded, explainer)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@one_backend
def test_weights_alone(fitted, small_teacher, tmp_path):
    path = tmp_path / "a.weights.h5"
    fitted.save_weights(path)
    other = made(small_teacher, seed=9)
    other.load_weights(path)
    assert_bit_equal(weights_of(other), weights_of(fitted))


@one_backend
@pytest.mark.parametrize("fault", ["filters", "damaged", "missing"])
def test_weights_that_do_not_fit_change_nothing(fitted, small_teacher, tmp_path, fault):
    path = tmp_path / "a.weights.h5"
    if fault != "missing":
        fitted.save_weights(path)
    if fault == "damaged":
        path.write_bytes(path.read_bytes()[:1000])
    other = made(small_teacher, filters=6 if fault != "filters" else 9, seed=9)
    before = weights_of(other)
    with pytest.raises(ConfigError, match=r"has no weights for this explainer of"):
        other.load_weights(path)
    assert_bit_equal(weights_of(other), before)


@one_backend
def test_a_file_of_pickled_code_is_not_run(small_teacher, images, tmp_path):
    """Loading is in safe mode: a Lambda in a user's decoder is refused."""
    encoding = keras.Input((6, 8, 6))
    x = keras.layers.Conv2D(16, 3, 2, padding="same")(encoding)
    x = keras.layers.Lambda(lambda x: x * 2)(x)
    decoder = keras.Model(encoding, {"top": x})
    explainer = made(small_teacher, decoder=decoder)
    path = tmp_path / "a.keras"
    explainer.save(path)
    with pytest.raises(ConfigError, match=r"[Ll]ambda"):
        load(path, small_teacher)
