"""The learning step: its floor, and what masks and filter loss are of it."""

from __future__ import annotations

from typing import Any

import keras_explainer as kx
from benchmarks.speed import cases
from benchmarks.speed.machine import alternate_with_rates

BARE = "no filter loss, no masks"
VARIANTS = {
    "single": ("full", "no filter loss", BARE),
    # Its places do not learn: there is no filter loss.
    "places": ("full", BARE),
}


def measure(network: str, recipe: str, repeats: int) -> dict[str, Any]:
    """A step of the recipe's batch, beside its floor."""
    owner = cases.teacher(network)
    made = cases.explainer(owner, recipe=recipe)
    data = cases.batch(made, made.recipe.batch_size)
    made.train_on_batch(*data)
    work = cases.step_work(made, data)
    works = {
        name: (lambda function=function: _step(made, data, function))
        for name, function in _functions(made, data, VARIANTS[recipe]).items()
    }
    found, rates = alternate_with_rates(works, repeats)
    floor = rates.floor(work)
    return {
        "network": network,
        "recipe": recipe,
        "images": made.recipe.batch_size,
        "views": made.recipe.views_per_step,
        "filters": made.encoder.filters,
        "tap": list(owner.tap_shape),
        "milliseconds": {name: 1e3 * value for name, value in found.items()},
        "share_of_masks_and_filter_loss": 1 - found[BARE] / found["full"],
        "work": work,
        "rates": rates.to_dict(),
        "floor_ms": 1e3 * floor,
        "reached": floor / found["full"],
    }


def _functions(
    made: kx.Explainer, data: tuple[Any, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    """Keras' train functions, each without more of its parts than the one before.

    All of the same weights: of two equal explainers, one may be 5 % slower than the
    other by where in memory its kernels lie.
    """
    encoder: Any = made.encoder
    found = {}
    for name in names:
        if name != "full":
            made.objective.losses.pop("filter_loss", None)
        if name == BARE:
            encoder.conv_1.part_mask.call = lambda maps: maps
            if encoder.places:
                encoder.conv_2.masked = lambda maps, detections: maps
            else:
                encoder.conv_2.part_mask.call = lambda maps: maps
        made.make_train_function(force=True)
        made.train_on_batch(*data)  # is traced as it is now
        found[name] = made.train_function
    return found


def _step(made: kx.Explainer, data: tuple[Any, Any], function: Any) -> None:
    made.train_function = function
    made.train_on_batch(*data)
