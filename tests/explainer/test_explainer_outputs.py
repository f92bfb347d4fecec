"""`predict` and `evaluate` against NumPy references, end to end."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from quick import Batches, learned
from reference import equivariance, filter_loss, part_mask, separation, tracks
from small_teacher import CountedTeacher, make_teacher
from test_case import to_numpy

from keras_explainer.datasets import ImageArray
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import ConfigError, DataError

one_backend = pytest.mark.one_backend
EVERYTHING = (
    "maps_1",
    "maps",
    "part_maps",
    "interpretable",
    "ordinary",
    "encoding",
    "reconstructions",
)


@pytest.fixture(scope="module")
def outputs(fitted, images):
    return fitted.predict(images, verbose=0, outputs=EVERYTHING)


def test_keys_and_shapes(fitted, images):
    found = fitted.predict(images, verbose=0)
    assert list(found) == ["part_maps", "encoding", "reconstructions"]
    assert found["part_maps"].shape == found["encoding"].shape == (24, 6, 8, 6)
    assert {k: v.shape for k, v in found["reconstructions"].items()} == {
        "top": (24, 3, 4, 16)
    }
    assert all(
        isinstance(values, np.ndarray) and values.dtype == np.float32
        for values in (found["part_maps"], found["reconstructions"]["top"])
    )


def test_masked_maps_equal_the_reference(fitted, outputs):
    np.testing.assert_allclose(
        outputs["part_maps"],
        part_mask.part_mask(outputs["maps"], fitted.recipe.beta, fitted.recipe.peaks),
        atol=1e-5,
    )
    assert outputs["maps"].min() >= 0 and outputs["maps"].max() > 0


def test_encoding_is_the_mixture_of_the_normalised_tracks(fitted, outputs):
    logit = np.log(fitted.share / (1 - fitted.share))
    expected = tracks.gate(outputs["interpretable"], outputs["ordinary"], logit)
    np.testing.assert_allclose(outputs["encoding"], expected, atol=1e-4)
    alpha = to_numpy(fitted.encoder.norm_interpretable.alpha)
    np.testing.assert_allclose(
        outputs["interpretable"], outputs["part_maps"] / alpha, rtol=1e-4, atol=1e-5
    )


def test_decode_gives_the_reconstructions(fitted, outputs):
    found = to_numpy(fitted.decode(ops.convert_to_tensor(outputs["encoding"]))["top"])
    np.testing.assert_allclose(found, outputs["reconstructions"]["top"], atol=1e-4)


def explained(x, y):
    x, y = x.astype("float64"), y.astype("float64")
    return 1 - np.square(x - y).sum() / np.square(x - x.mean(0)).sum()


def softmax(logits):
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def test_evaluate_equals_figures_computed_by_hand(fitted, images, outputs):
    teacher = fitted.teacher
    found = fitted.evaluate(images, batch_size=24, verbose=0, return_dict=True)
    targets = teacher.extract(images)[1]["top"]
    reconstruction = outputs["reconstructions"]["top"]
    logits = teacher.classify(images)["logits"].astype("float64")
    mine = to_numpy(teacher.head(ops.convert_to_tensor(reconstruction))["logits"])
    statistics = fitted.statistics
    p, q = softmax(logits), softmax(mine)
    expected = {
        "explained_variance_top": explained(targets, reconstruction),
        "explained_variance_logits": explained(logits, mine),
        "top1_agreement": (logits.argmax(1) == mine.argmax(1)).mean(),
        "kl": (p * np.log(p / q)).sum(1).mean(),
        "p": fitted.share,
        "share_loss": -np.log(fitted.share),
        "dead_filters": ((outputs["maps"].max((1, 2)) <= 0).mean(0) > 0.99).mean(),
        "reconstruction_loss": tracks.relative_squared_error(
            targets, reconstruction, float(statistics.target_variance[0])
        ),
        "logits_loss": tracks.relative_squared_error(
            logits, mine, float(statistics.logits_variance)
        ),
        "filter_loss": sum(
            filter_loss.filter_loss(
                outputs[name], temperature=fitted.recipe.temperature
            ).mean()
            for name in ("maps_1", "maps")
        ),
        "separation_loss": separation.separation_loss(outputs["maps"]),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=2e-3, abs=2e-5), name
    recipe = fitted.recipe
    total = (
        recipe.reconstruction_weight * expected["reconstruction_loss"]
        + recipe.logits_weight * expected["logits_loss"]
        + recipe.filter_loss_weight * expected["filter_loss"]
        + recipe.eta * expected["share_loss"]
        + recipe.separation_weight * expected["separation_loss"]
    )
    assert found["loss"] == pytest.approx(total, rel=2e-3)
    assert np.isnan(found["equivariance_loss"])  # of the whole images alone


@one_backend
def test_equivariance_on_cached_views(fitted, images):
    spec = ViewSpec(count=3, seed=5)
    cache = FeatureCache.build(fitted.teacher, ImageArray(images[:6]), spec)
    found = fitted.evaluate(cache, batch_size=6, verbose=0, return_dict=True)
    maps = np.stack(
        [
            to_numpy(fitted(ops.convert_to_tensor(cache.tap[:, v]))["maps"])
            for v in range(3)
        ],
        1,
    )
    expected = equivariance.equivariance_loss(maps, cache.boxes)
    assert found["equivariance_loss"] == pytest.approx(expected, abs=3e-4)


@one_backend
@pytest.mark.parametrize("size", [1, 5, 100])
def test_batch_size_does_not_matter(fitted, images, outputs, size):
    found = fitted.predict(images[:6], batch_size=size, verbose=0)
    for name in ("part_maps", "encoding"):
        np.testing.assert_allclose(found[name], outputs[name][:6], atol=1e-4)


def test_one_image(fitted, images, outputs):
    found = fitted.predict(images[:1], verbose=0)
    np.testing.assert_allclose(found["encoding"], outputs["encoding"][:1], atol=1e-4)


FORMS = {
    "image array": ImageArray,
    "tensor": ops.convert_to_tensor,
    "list": list,
    "PyDataset": lambda x: Batches(x, 7),
    "PyDataset with labels": lambda x: Batches(x, 7, labels=True),
    "generator": lambda x: (x[i : i + 9] for i in range(0, len(x), 9)),
    "float": lambda x: x.astype("float32"),
}


@one_backend
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_images(fitted, images, outputs, form):
    found = fitted.predict(FORMS[form](images), verbose=0)
    np.testing.assert_allclose(found["encoding"], outputs["encoding"], atol=1e-4)
    figures = fitted.evaluate(FORMS[form](images), verbose=0, return_dict=True)
    expected = fitted.evaluate(images, verbose=0, return_dict=True)
    for name in ("explained_variance_top", "top1_agreement", "kl"):
        assert figures[name] == pytest.approx(expected[name], rel=1e-3), name


@one_backend
def test_a_feature_cache_needs_no_teacher(fitted, images, outputs):
    cache = FeatureCache.build(fitted.teacher, ImageArray(images))
    with CountedTeacher(fitted.teacher) as counted:
        found = fitted.predict(cache, verbose=0)
        fitted.evaluate(cache, verbose=0)
    assert counted.images == 0
    np.testing.assert_allclose(found["encoding"], outputs["encoding"], atol=1e-4)


@one_backend
def test_predict_is_compiled_once(fitted, images):
    fitted.predict(images[:4], verbose=0)
    function = fitted.predict_function
    fitted.predict(images[:4], verbose=0)
    assert fitted.predict_function is function
    fitted.predict(images[:4], verbose=0, outputs=("maps",))
    assert fitted.predict_function is not function


@one_backend
def test_predict_and_evaluate_change_nothing(fitted, images):
    before = fitted.get_weights()
    fitted.predict(images, verbose=0)
    fitted.evaluate(images, verbose=0)
    for old, new in zip(before, fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@one_backend
def test_refused(fitted, images):
    with pytest.raises(ConfigError, match="part_maps"):
        fitted.predict(images, verbose=0, outputs=("part_map",))
    for method in (fitted.predict, fitted.evaluate):
        with pytest.raises(ConfigError, match="batch_size"):
            method(images, batch_size=0, verbose=0)
        for wrong in (images[:0], images[:, :20], images / 255.0, [], None):
            with pytest.raises(DataError):
                method(wrong, verbose=0)
    with pytest.raises(DataError, match="leave y out"):
        fitted.evaluate(images, np.zeros(24), verbose=0)


@one_backend
def test_features_of_another_teacher_are_refused(fitted, images, small_teacher):
    """Also where all shapes are the same: the answer would be silently wrong."""
    spec = ViewSpec(count=2)
    for other in (make_teacher(seed=1), make_teacher(tap="stem")):
        cache = FeatureCache.build(other, ImageArray(images), spec)
        for method in (fitted.predict, fitted.evaluate):
            with pytest.raises(DataError, match="another teacher"):
                method(cache, verbose=0)
        with pytest.raises(DataError, match="another teacher"):
            learned(small_teacher, cache)
