"""The learning step: its floor, and what masks and filter loss are of it."""

from __future__ import annotations

from typing import Any

import keras_explainer as kx
from benchmarks.speed import cases
from benchmarks.speed.machine import alternate, measured_rates

BARE = "no filter loss, no masks"
VARIANTS = {
    "single": ("full", "no filter loss", BARE),
    # Its places do not learn: there is no filter loss.
    "places": ("full", BARE),
}


def variant(owner: kx.Teacher, recipe: str, name: str) -> kx.Explainer:
    """An explainer with some of its parts taken out."""
    settings = {} if name == "full" else {"filter_loss_weight": 0.0}
    made = cases.explainer(owner, recipe=recipe, **settings)
    if name == BARE:
        encoder: Any = made.encoder
        encoder.conv_1.part_mask.call = lambda maps: maps
        if encoder.places:
            encoder.conv_2.masked = lambda maps, detections: maps
        else:
            encoder.conv_2.part_mask.call = lambda maps: maps
    return made


def measure(network: str, recipe: str, repeats: int) -> dict[str, Any]:
    """A step of the recipe's batch, beside its floor."""
    owner = cases.teacher(network)
    models = {name: variant(owner, recipe, name) for name in VARIANTS[recipe]}
    data = cases.batch(models["full"], models["full"].recipe.batch_size)
    works = {
        name: (lambda model=model: model.train_on_batch(*data))
        for name, model in models.items()
    }
    before = measured_rates()
    found = alternate(works, repeats)
    work = cases.step_work(models["full"], data)
    floor = _floor(before, work)
    return {
        "network": network,
        "recipe": recipe,
        "images": models["full"].recipe.batch_size,
        "views": models["full"].recipe.views_per_step,
        "filters": models["full"].encoder.filters,
        "tap": list(owner.tap_shape),
        "milliseconds": {name: 1e3 * value for name, value in found.items()},
        "share_of_masks_and_filter_loss": 1 - found[BARE] / found["full"],
        "work": work,
        "floor_ms": 1e3 * floor,
        "reached": floor / found["full"],
    }


def _floor(before: Any, work: dict[str, float]) -> float:
    """By the better of the rates before and after: neighbours come and go."""
    return min(before.floor(work), measured_rates().floor(work))
