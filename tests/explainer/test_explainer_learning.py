"""What learning does: start, share, resumption, divergence; what it leaves alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from model_state import state
from quick import BACKEND, EAGER, assert_bit_equal, learned, made, weights_of
from small_teacher import make_images, make_teacher

from keras_explainer.errors import DivergenceError
from keras_explainer.explainer import Explainer

one_backend = pytest.mark.one_backend


def test_two_runs_with_one_seed_give_the_same_weights(small_teacher, images):
    """Compiled, as a user runs it, and whatever the global random state."""
    results = []
    for run in range(2):
        keras.utils.set_random_seed(run)
        explainer = Explainer(small_teacher, filters=6, recipe="single", seed=3)
        explainer.compile("adam")
        explainer.fit(images, epochs=2, batch_size=8, verbose=0)
        results.append(weights_of(explainer))
    assert_bit_equal(*results)


SETTINGS = {
    "conv": {"decoder": "conv"},
    "paper": {"recipe": "paper"},
    "cold": {"train_copy": True, "warm_start": False, "ordinary_drop": 0.5},
}


@one_backend
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_seed_decides_all(small_teacher, images, settings):
    results = {}
    for run, seed in enumerate((1, 1, 2) if settings == "cold" else (1, 1)):
        keras.utils.set_random_seed(run)
        explainer = learned(small_teacher, images, seed=seed, **SETTINGS[settings])
        results[run] = weights_of(explainer)
    assert_bit_equal(results[0], results[1])
    if settings == "cold":
        pairs = zip(results[0], results[2], strict=True)
        assert any(not np.array_equal(a, b) for a, b in pairs)


def frozen_in_part(seed=0):
    """A teacher whose user has frozen one layer and compiled the model."""
    teacher = make_teacher(seed)
    teacher.model.get_layer("stem").trainable = False
    teacher.model.compile(keras.optimizers.Adam(1e-3), loss="mse")
    teacher.model.optimizer.build(teacher.model.trainable_variables)
    return teacher


@pytest.mark.parametrize(
    "settings",
    [{}, pytest.param({"train_copy": True}, marks=one_backend)],
    ids=["default", "learning copy"],
)
def test_the_teacher_is_left_alone(images, settings):
    teacher = frozen_in_part()
    before = state(teacher.model)
    explainer = learned(teacher, images, **settings)
    explainer.evaluate(images, verbose=0)
    explainer.predict(images, verbose=0)
    assert state(teacher.model) == before
    # Its weights are no part of the explainer either.
    own = {id(variable) for variable in explainer.variables}
    assert not own & {id(variable) for variable in teacher.model.variables}


@one_backend
def test_the_teacher_is_left_alone_after_an_error(images):
    teacher = frozen_in_part()
    before = state(teacher.model)
    explainer = made(teacher, keras.optimizers.SGD(1e30))
    with pytest.raises(DivergenceError):
        explainer.fit(images, epochs=2, batch_size=8, verbose=0)
    assert state(teacher.model) == before


@one_backend
def test_p_moves(small_teacher, images):
    """A large eta draws it up, none lets it go where the reconstruction wants it."""
    start, ends = 0.3, {}
    for eta in (0.0, 30.0):
        explainer = made(
            small_teacher, keras.optimizers.Adam(5e-3), eta=eta, initial_share=start
        )
        assert explainer.share == pytest.approx(start, rel=1e-5)
        explainer.fit(images, epochs=4, batch_size=8, verbose=0)
        ends[eta] = explainer.share
        assert 0 < explainer.share < 1
    assert ends[30.0] > start + 0.02
    assert abs(ends[0.0] - ends[30.0]) > 0.02


def reconstruction_at_start(teacher, images, **settings):
    explainer = made(teacher, initial_share=0.5, **settings)
    explainer.fit(images, epochs=0, verbose=0)
    return explainer.evaluate(images, verbose=0, return_dict=True)[
        "reconstruction_loss"
    ]


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"tap": "stem"}, marks=one_backend)],
    ids=["tap", "stem"],
)
def test_a_warm_start_reconstructs_far_better(images, options):
    teacher = make_teacher(**options)
    warm = reconstruction_at_start(teacher, images, filters=12)
    cold = reconstruction_at_start(teacher, images, filters=12, warm_start=False)
    assert warm < 0.1 * cold and warm < 1.5


@one_backend
def test_a_second_fit_does_not_start_again(small_teacher, images):
    explainer = learned(small_teacher, images)
    before = explainer.evaluate(images, verbose=0, return_dict=True)
    explainer.compile(keras.optimizers.SGD(0.0), **EAGER)
    kept = [weights.numpy() for weights in explainer.trainable_variables]
    explainer.fit(images, epochs=1, batch_size=8, verbose=0)
    assert_bit_equal([w.numpy() for w in explainer.trainable_variables], kept)
    after = explainer.evaluate(images, verbose=0, return_dict=True)
    assert after["reconstruction_loss"] == pytest.approx(
        before["reconstruction_loss"], rel=0.1
    )


def test_learning_goes_on_as_if_it_had_not_stopped(small_teacher, images):
    """Order and views are the epoch's: 2 + 2 epochs are 4 epochs."""
    options = {"batch_size": 12, "verbose": 0}
    whole = made(small_teacher, keras.optimizers.SGD(1e-3), ordinary_drop=0.3)
    whole.fit(images, epochs=4, **options)
    parts = made(small_teacher, keras.optimizers.SGD(1e-3), ordinary_drop=0.3)
    parts.fit(images, epochs=2, **options)
    parts.fit(images, epochs=4, initial_epoch=2, **options)
    assert_bit_equal(weights_of(parts), weights_of(whole))


@one_backend
def test_rate_of_a_named_optimiser_warms_up_and_decays(small_teacher, images):
    explainer = made(small_teacher, steps=20, views=1, views_per_step=1)
    rates = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(
            float(explainer.optimizer.learning_rate)
        )
    )
    explainer.fit(images, epochs=10, batch_size=12, verbose=0, callbacks=[note])
    highest = explainer.recipe.learning_rate
    assert len(rates) == 20
    assert max(rates) == pytest.approx(highest, rel=0.02) and rates[0] < 0.6 * highest
    assert rates[-1] < 0.05 * highest and np.argmax(rates) < 4
    given = keras.optimizers.Adam(3e-4)
    explainer.compile(given, **EAGER)
    explainer.fit(images, epochs=1, batch_size=12, verbose=0)
    assert float(explainer.optimizer.learning_rate) == pytest.approx(3e-4)


class Explode(keras.callbacks.Callback):
    """Makes the step huge in the third epoch; keeps the weights of each epoch's end."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.optimizer.learning_rate = 1e30

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            self.weights.append(weights_of(self.model))


@pytest.mark.parametrize("stage", ["third epoch", "first step"])
def test_divergence_keeps_the_last_good_weights(small_teacher, images, stage):
    explainer = made(small_teacher, keras.optimizers.SGD(1e-3))
    watch = Explode()
    if stage == "first step":
        explainer = made(small_teacher, keras.optimizers.SGD(1e30))
    with pytest.raises(DivergenceError, match=r"nan|inf"):
        explainer.fit(images, epochs=5, batch_size=8, verbose=0, callbacks=[watch])
    # It stopped in the epoch in which it was seen.
    assert len(watch.weights) == (3 if stage == "third epoch" else 1)
    names = [variable.path for variable in explainer.variables]
    after = ("statistics", "presence")  # measured at the end of fit
    measured = [
        i for i, name in enumerate(names) if any(layer in name for layer in after)
    ]
    found = weights_of(explainer)
    for index, expected in enumerate(watch.weights[-1]):
        if index not in measured:
            np.testing.assert_array_equal(found[index], expected, names[index])
    predicted = explainer.predict(images[:3], verbose=0)
    assert np.isfinite(predicted["encoding"]).all()
    # Nothing is lost: with a smaller step it learns on.
    if stage == "third epoch":
        explainer.compile(keras.optimizers.SGD(1e-4), **EAGER)
        explainer.fit(images, epochs=1, batch_size=8, verbose=0)
        assert np.isfinite(explainer.history.history["loss"]).all()


@one_backend
def test_weights_that_become_nan_in_the_last_step_are_not_kept(small_teacher, images):
    """No later loss would show it."""
    explainer = made(small_teacher, keras.optimizers.SGD(1e-3))

    class LastStep(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                self.model.optimizer.learning_rate = float("inf")

    with pytest.raises(DivergenceError):
        explainer.fit(images, epochs=1, batch_size=8, verbose=0, callbacks=[LastStep()])
    assert all(np.isfinite(values).all() for values in weights_of(explainer))


@one_backend
def test_track_figures_are_those_of_the_train_images(small_teacher, images):
    explainer = learned(small_teacher, images, fit={"validation_split": 0.25})
    outputs = explainer.predict(
        images[:18], verbose=0, outputs=("interpretable", "ordinary")
    )
    statistics = explainer.statistics
    variance = {}
    for name, track in outputs.items():
        track = track.astype("float64")
        np.testing.assert_allclose(
            np.asarray(getattr(statistics, f"{name}_mean")), track.mean(0), atol=1e-4
        )
        variance[name] = track.var(0).mean()
        assert float(getattr(statistics, f"{name}_variance")) == pytest.approx(
            variance[name], rel=1e-3
        )
    p = explainer.share
    a, b = p**2 * variance["interpretable"], (1 - p) ** 2 * variance["ordinary"]
    assert statistics.variance_share(p) == pytest.approx(a / (a + b), rel=1e-3)
    targets = small_teacher.extract(images[:18])[1]["top"].astype("float64")
    assert float(statistics.target_variance[0]) == pytest.approx(
        targets.var(0).sum(), rel=1e-4
    )
    logits = small_teacher.classify(images[:18])["logits"].astype("float64")
    assert float(statistics.logits_variance) == pytest.approx(
        logits.var(0).sum(), rel=1e-4
    )


@one_backend
def test_before_learning_nothing_is_claimed(small_teacher):
    explainer = made(small_teacher)
    assert not explainer.statistics.is_measured
    assert explainer.statistics.variance_share(0.5) is None


@pytest.mark.tensorflow
def test_compiled_and_eager_learn_the_same(small_teacher, images):
    explainer = Explainer(small_teacher, filters=6, recipe="single", views=2)
    explainer.compile(keras.optimizers.SGD(1e-3), jit_compile=True)
    explainer.fit(images, epochs=1, batch_size=8, verbose=0)
    eager = made(small_teacher, keras.optimizers.SGD(1e-3))
    eager.fit(images, epochs=1, batch_size=8, verbose=0)
    for mine, theirs in zip(weights_of(explainer), weights_of(eager), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=5e-3, atol=2e-3)


def test_jit_is_off_on_a_cpu_by_default():
    from keras_explainer.explainer.optimizer_choice import default_jit

    if BACKEND == "tensorflow":
        assert default_jit() in (False, "auto")
    else:
        assert default_jit() == "auto"


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(small_teacher, images, policy):
    if BACKEND == "jax" and policy == "mixed_float16":
        pytest.skip("one of the two is enough for the price on JAX")
    explainer = learned(small_teacher, images, dtype=policy)
    assert np.isfinite(explainer.history.history["loss"]).all()
    assert all(variable.dtype != policy[6:] for variable in explainer.variables)
    exact = learned(small_teacher, images)
    found, expected = (
        one.history.history["explained_variance_top"][-1] for one in (explainer, exact)
    )
    assert found == pytest.approx(expected, abs=0.03)
    predicted = explainer.predict(images[:3], verbose=0)
    assert np.isfinite(np.asarray(predicted["encoding"], "float32")).all()


@one_backend
def test_float64(small_teacher, images):
    explainer = learned(small_teacher, images, dtype="float64")
    exact = learned(small_teacher, images)
    assert explainer.history.history["loss"] == pytest.approx(
        exact.history.history["loss"], rel=1e-3
    )


@one_backend
def test_equivariance_is_learned(small_teacher):
    """Positions of filters follow the image, also of images not learned from."""
    explainer = learned(
        small_teacher,
        make_images(32, seed=1),
        views=4,
        equivariance_weight=20.0,
        optimizer=keras.optimizers.Adam(1e-2),
        steps=24,
        fit={"epochs": 8, "batch_size": 8, "validation_split": 0.25},
    )
    logged = explainer.history.history["val_equivariance_loss"]
    assert logged[-1] < 0.9 * logged[0]
