"""Places: found without labels, chosen steady and apart, then read."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from quick import BACKEND, learned
from small_teacher import make_images, make_model, make_teacher

from keras_explainer.errors import ConfigError
from keras_explainer.explainer import Explainer
from keras_explainer.explainer.consensus import place_worth
from keras_explainer.explainer.equivariance_error import equivariance_error
from keras_explainer.explainer.loading import load
from keras_explainer.explainer.place_start import choose_places
from keras_explainer.explainer.sensitivity import sensitivity
from keras_explainer.gradients import input_gradient
from keras_explainer.teachers import Teacher

PLACES = {
    "recipe": "places",
    "filters": 12,
    "places": 3,
}
FEW_STEPS = {**PLACES, "steps_per_epoch": 1}
"""Where it does not matter how well it is learned."""


@pytest.fixture(scope="module")
def grouped(small_teacher):
    """Learned as a user does."""
    explainer = Explainer(small_teacher, **PLACES)
    explainer.compile("adam", learning_rate=1e-3)
    explainer.fit(make_images(24), epochs=40, batch_size=8, verbose=0)
    return explainer


def test_the_decoder_learns_and_the_places_stay(grouped):
    losses = grouped.history.history
    for name in ("loss", "parts_loss"):
        # Epochs of three steps are noisy.
        first, last = losses[name][:10], losses[name][-10:]
        assert np.mean(last) < 0.97 * np.mean(first)
    assert not {"filter_loss", "equivariance_loss"} & set(losses)
    assert grouped.encoder.conv_1.trainable_variables == []
    assert grouped.encoder.conv_2.trainable_variables == []


def test_a_group_is_in_one_place(grouped):
    """Detections outweigh readings, so that the filters of a group peak together."""
    maps = grouped.predict(make_images(8, seed=5), verbose=0, outputs=("maps",))
    maps = np.asarray(maps["maps"])
    peaks = maps.reshape(8, -1, 3, 4).argmax(1)
    together = (peaks == peaks[..., :1]).mean()
    assert together > 0.7
    alone = (peaks[..., 0] == peaks[:, :1, 0]).mean()
    assert alone < 0.9


@pytest.mark.one_backend
def test_places_correct_each_other_as_often_as_asked(small_teacher):
    images = make_images(24)
    kernels = {
        rounds: np.asarray(
            learned(
                small_teacher,
                images,
                fit={"epochs": 0},
                consensus_rounds=rounds,
                **PLACES,
            ).encoder.conv_1.conv.kernel
        )
        for rounds in (0, 1, 3)
    }
    assert not np.allclose(kernels[0], kernels[1])
    assert not np.allclose(kernels[1], kernels[3])
    default = learned(small_teacher, images, fit={"epochs": 0}, **PLACES)
    np.testing.assert_array_equal(default.encoder.conv_1.conv.kernel, kernels[3])


@pytest.mark.one_backend
def test_the_seed_decides_and_files_keep_all(small_teacher, tmp_path):
    images = make_images(24)
    first, second = (learned(small_teacher, images, **FEW_STEPS) for _ in range(2))
    for mine, theirs in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    first.save(tmp_path / "a.keras")
    loaded = load(tmp_path / "a.keras", small_teacher)
    assert loaded.recipe.places == 3
    for mine, theirs in zip(first.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not loaded.encoder.conv_2.trainable


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(small_teacher, policy):
    if BACKEND == "jax" and policy == "mixed_float16":
        pytest.skip("one of the two is enough for the price on JAX")
    images = make_images(24)
    mixed = learned(small_teacher, images, dtype=policy, **FEW_STEPS)
    exact = learned(small_teacher, images, **FEW_STEPS)
    found, expected = (
        one.history.history["explained_variance_top"][-1] for one in (mixed, exact)
    )
    assert found == pytest.approx(expected, abs=0.05)
    for item in mixed.explain(images[:2], verbose=0):
        assert all(np.isfinite(part.strength) for part in item.parts)


@pytest.mark.one_backend
@pytest.mark.parametrize("answer", [None, "sigmoid"])
def test_other_teachers(answer):
    """Without a head, with several answers."""
    explainer = learned(make_teacher(answer=answer), make_images(24), **FEW_STEPS)
    assert np.isfinite(explainer.history.history["loss"]).all()


@pytest.mark.one_backend
def test_a_decoder_that_is_no_copy(small_teacher):
    explainer = learned(small_teacher, make_images(24), decoder="conv", **FEW_STEPS)
    assert np.isfinite(explainer.history.history["parts_loss"]).all()


@pytest.mark.one_backend
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"filters": 10}, "10 filters cannot be shared out over 3 places.* 12"),
        ({"warm_start": False}, "Recipe.warm_start must be True"),
        ({"views": 1}, "Recipe.views must be at least 2"),
        ({"peaks": 2}, "Recipe.peaks must be 1"),
        ({"pool_size": 2}, "Recipe.pool_size must be 1"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_with_places(small_teacher, settings, message):
    with pytest.raises(ConfigError, match=message):
        Explainer(small_teacher, **{**PLACES, **settings})


@pytest.mark.one_backend
def test_places_follow_the_image(grouped, small_teacher):
    """Found places move with the image, at the constant place of none."""
    images = make_images(24, seed=7)
    maps = np.stack(
        [
            np.asarray(grouped.predict(x, verbose=0, outputs=("maps_1",))["maps_1"])
            for x in (images, images[:, :, ::-1])
        ],
        axis=1,
    )
    boxes = np.tile(np.array([0, 0, 1, 1, 0], "float32"), (24, 2, 1))
    boxes[:, 1, 4] = 1  # flipped
    followed = equivariance_error(maps, boxes)
    stayed = equivariance_error(np.stack([maps[:, 0], maps[:, 0]], 1), boxes)
    assert np.median(followed) < 0.7 * np.median(stayed)


@pytest.mark.one_backend
def test_steady_places_apart_are_chosen():
    random = np.random.default_rng(0)
    part = random.integers(1, 6, (20, 2))
    points = np.stack(
        [
            part,
            part + [0, 1],  # beside it
            7 - part,  # another part
            *random.integers(0, 8, (4, 20, 2)),  # wander
            np.full((20, 2), 4),  # the middle
        ],
        axis=1,
    )
    error = np.array([0.01, 0.01, 0.01, 0.3, 0.3, 0.3, 0.3, 0.001])
    worth = place_worth(points, error)
    assert set(choose_places(points, worth, 2)) in ({0, 2}, {1, 2})
    assert set(choose_places(points, worth, 3)) == {0, 1, 2}
    # What never moves is as steady as can be, and still the last.
    assert choose_places(points, worth, 8)[-1] == 7


@pytest.mark.one_backend
def test_places_that_were_never_compared_come_last():
    points = np.random.default_rng(0).integers(0, 8, (20, 3, 2))
    error = np.array([np.inf, 0.1, 0.2])
    assert choose_places(points, place_worth(points, error), 3)[-1] == 0


@pytest.mark.one_backend
def test_sensitivity_is_the_second_moment_of_the_jacobian(small_teacher):
    features = np.random.default_rng(0).random((6, *small_teacher.tap_shape))
    features = features.astype("float32")
    expected = np.zeros((12, 12))
    for output in range(5):

        def logit(tap, output=output):
            target = small_teacher.upper(tap)["top"]
            return ops.sum(small_teacher.head(target)["logits"][:, output])

        cells = ops.convert_to_numpy(input_gradient(logit, features)).reshape(-1, 12)
        expected += cells.T.astype("float64") @ cells
    expected /= len(features)
    many = [sensitivity(small_teacher, features, seed) for seed in range(40)]
    found = np.mean(many, 0)
    assert np.linalg.norm(found - expected) < 0.1 * np.linalg.norm(expected)
    np.testing.assert_allclose(many[0], many[0].T, atol=1e-9)


@pytest.mark.one_backend
def test_small_gradients_are_felt_too():
    """Of which the squares are 0 in float32: not the identity, "nothing is known"."""
    model = make_model()
    kernel = model.get_layer("answer").kernel
    kernel.assign(1e-24 * ops.convert_to_numpy(kernel))
    owner = Teacher(model, tap="tap", targets=["top"], preprocessing="identity")
    features = np.random.default_rng(0).random((6, *owner.tap_shape)).astype("float32")
    found = sensitivity(owner, features)
    assert 0 < np.trace(found) < 1e-40
