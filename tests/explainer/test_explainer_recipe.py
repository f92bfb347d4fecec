"""Recipe: names, changes, the paper's settings, what is refused."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pytest
from quick import learned, made
from reference import filter_loss
from small_teacher import make_teacher

from keras_explainer.errors import ConfigError
from keras_explainer.explainer import Recipe
from keras_explainer.explainer.decoders import FCDecoder
from keras_explainer.explainer.objective import Objective
from keras_explainer.explainer.recipe import RECIPES

one_backend = pytest.mark.one_backend


def test_the_papers_settings():
    paper = Recipe.named("paper")
    assert (paper.beta, paper.tau, paper.temperature, paper.peaks) == (
        4.0,
        None,
        None,
        1,
    )
    assert paper.views == paper.views_per_step == 1
    assert paper.equivariance_weight == paper.logits_weight == 0
    assert paper.separation_weight == 0
    assert not paper.warm_start and paper.ordinary_drop == 0
    assert paper.eta > 0 and paper.filter_loss_weight > 0
    assert set(Objective(paper).losses) == {
        "reconstruction_loss",
        "filter_loss",
        "share_loss",
    }
    loss = Objective(paper).filter_loss
    maps = np.abs(np.random.default_rng(0).normal(size=(4, 3, 5, 2))) * 50
    np.testing.assert_allclose(
        np.asarray(loss.per_filter(maps.astype("float32"))),
        filter_loss.filter_loss(maps, 4.0, 0.5 / 15, None),
        rtol=1e-3,
        atol=1e-5,
    )


def test_learning_by_the_paper(images):
    """With fully connected targets, as the paper has them."""
    teacher = make_teacher(hidden=(10, 7), targets=("fc1", "fc2"))
    explainer = learned(teacher, images, recipe="paper", fit={"epochs": 4})
    assert type(explainer.decoder) is FCDecoder
    history = explainer.history.history
    assert "equivariance_loss" not in history and "logits_loss" not in history
    assert history["loss"][-1] < history["loss"][0]
    assert explainer.recipe.name == "paper"


@one_backend
def test_settings_reach_the_network(small_teacher):
    explainer = made(
        small_teacher,
        decoder="conv",
        kernel_size=1,
        ordinary_kernel_size=3,
        beta=6.0,
        peaks=2,
        pool_size=2,
        initial_share=0.2,
        share_step_scale=5.0,
        norm_momentum=0.5,
        ordinary_drop=0.25,
        temperature=3.0,
        tau=0.1,
    )
    encoder = explainer.encoder
    assert encoder.conv_1.conv.kernel.shape[:2] == (1, 1)
    assert encoder.ordinary_conv.kernel.shape[:2] == (3, 3)
    mask = encoder.conv_2.part_mask
    assert (mask.beta, mask.peaks) == (6.0, 2)
    assert explainer.share == pytest.approx(0.2, rel=1e-5)
    assert encoder.gate.step_scale == 5.0 and encoder.ordinary_drop == 0.25
    assert encoder.norm_ordinary.momentum == encoder.norm_interpretable.momentum == 0.5
    loss = explainer.objective.filter_loss
    assert (loss.beta, loss.tau, loss.temperature) == (6.0, 0.1, 3.0)
    assert explainer(np.zeros((1, 6, 8, 12), "float32"))["encoding"].shape == (
        1,
        3,
        4,
        6,
    )


@one_backend
@pytest.mark.parametrize(
    "weight, name",
    [
        ("reconstruction_weight", "reconstruction_loss"),
        ("logits_weight", "logits_loss"),
        ("filter_loss_weight", "filter_loss"),
        ("eta", "share_loss"),
        ("equivariance_weight", "equivariance_loss"),
        ("separation_weight", "separation_loss"),
    ],
)
def test_a_loss_of_weight_zero_is_not_computed(weight, name):
    losses = Objective(Recipe.resolve("default")).losses
    assert (
        name in losses
        and name not in Objective(Recipe.resolve("default", **{weight: 0.0})).losses
    )
    assert Objective(Recipe.resolve("default", **{weight: 0.7})).losses[name][0] == 0.7


def test_resolve():
    default = Recipe()
    assert Recipe.named("default") == Recipe.resolve("default") == default
    assert Recipe.resolve(default) is default
    assert Recipe.resolve("default", beta=3.0).beta == 3.0
    assert Recipe.resolve({"beta": 3.0}) == Recipe.resolve(default, beta=3.0)
    assert Recipe.resolve("paper", eta=0.7).eta == 0.7


def test_quick_is_places_with_less_of_views_and_epochs():
    places, quick = Recipe.named("places"), Recipe.named("quick")
    changed = {
        field.name
        for field in fields(Recipe)
        if getattr(places, field.name) != getattr(quick, field.name)
    }
    assert changed == {"name", "views", "epochs"}
    # Places are chosen by how they follow views.
    assert 2 <= quick.views < places.views
    assert quick.epochs < places.epochs


@pytest.mark.parametrize("name", RECIPES)
def test_survives_json(name):
    recipe = Recipe.named(name)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert set(recipe.to_dict()) == {field.name for field in fields(Recipe)}


def test_numbers_of_numpy_become_plain():
    recipe = Recipe(epochs=np.int64(3), beta=np.float32(2.5), eta=np.float64(1))
    assert json.loads(json.dumps(recipe.to_dict())) == recipe.to_dict()
    assert type(recipe.epochs) is int and type(recipe.beta) is float
    assert type(Recipe(beta=3).beta) is float


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 0},
        {"kernel_size": 2.5},
        {"kernel_size": "3"},
        {"ordinary_kernel_size": 0},
        {"beta": 0.0},
        {"beta": float("nan")},
        {"beta": float("inf")},
        {"beta": 10**400},
        {"beta": "4"},
        {"beta": None},
        {"tau": 0.0},
        {"peaks": 0},
        {"peaks": True},
        {"pool_size": 0},
        {"temperature": -1.0},
        {"filter_loss_weight": -0.1},
        {"reconstruction_weight": -0.1},
        {"logits_weight": -0.1},
        {"eta": -0.1},
        {"equivariance_weight": -0.1},
        {"separation_weight": -0.1},
        {"ordinary_drop": 1.0},
        {"views": 0},
        {"views_per_step": 0},
        {"views_per_step": 9},
        {"initial_share": 0.0},
        {"initial_share": 1.0},
        {"share_step_scale": 0.0},
        {"norm_momentum": 1.0},
        {"adapter_size": 0},
        {"train_copy": "yes"},
        {"warm_start": 1},
        {"learning_rate": 0.0},
        {"batch_size": 0},
        {"epochs": -1},
        {"epochs": 2.0},
        {"name": 3},
    ],
    ids=str,
)
def test_values_that_are_refused(settings):
    (name,) = settings
    for make in (Recipe, lambda **s: Recipe.resolve("default", **s)):
        with pytest.raises(ConfigError, match=rf"Recipe\.{name} must be"):
            make(**settings)


def test_names_that_are_refused():
    with pytest.raises(ConfigError, match="paper"):
        Recipe.named("papper")
    with pytest.raises(ConfigError, match="eta"):
        Recipe.from_dict({"etaa": 1.0})
    with pytest.raises(ConfigError, match="beta"):
        Recipe.resolve("default", betta=1.0)
    with pytest.raises(ConfigError, match="Recipe or a dict"):
        Recipe.resolve(3)
