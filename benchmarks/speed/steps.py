"""The learning step: its floor, and what masks and filter loss are of it."""

from __future__ import annotations

from typing import Any

import keras_explainer as kx
from benchmarks.speed import cases
from benchmarks.speed.machine import alternate, measured_rates

VARIANTS = ("full", "no filter loss", "no filter loss, no masks")


def variant(owner: kx.Teacher, name: str, **settings: Any) -> kx.Explainer:
    """An explainer with some of its parts taken out."""
    if name != "full":
        settings["filter_loss_weight"] = 0.0
    made = cases.explainer(owner, **settings)
    if name.endswith("no masks"):
        for layer in (made.encoder.conv_1, made.encoder.conv_2):
            layer.part_mask.call = lambda maps: maps
    return made


def measure(network: str, repeats: int) -> dict[str, Any]:
    """A step with single filters (16 images in 2 views), beside its floor."""
    owner = cases.teacher(network)
    settings = cases.EXPLAINED[network]
    models = {name: variant(owner, name, **settings) for name in VARIANTS}
    data = cases.batch(models["full"], models["full"].recipe.batch_size)
    works = {
        name: (lambda model=model: model.train_on_batch(*data))
        for name, model in models.items()
    }
    before = measured_rates()
    found = alternate(works, repeats)
    work = cases.step_work(models["full"], data)
    floor = _floor(before, work)
    bare = found["no filter loss, no masks"]
    return {
        "network": network,
        "tap": list(owner.tap_shape),
        "milliseconds": {name: 1e3 * value for name, value in found.items()},
        "share_of_masks_and_filter_loss": 1 - bare / found["full"],
        "work": work,
        "floor_ms": 1e3 * floor,
        "reached": floor / found["full"],
    }


def _floor(before: Any, work: dict[str, float]) -> float:
    """By the better of the rates before and after: neighbours come and go."""
    return min(before.floor(work), measured_rates().floor(work))
