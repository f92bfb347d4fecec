"""Learns on one device and on several, and writes what came of it: a script.

    python learn.py FOLDER STRATEGIES RECIPES [--batch 8] [--epochs 2]

Strategies, with commas: `one`; `rounded_0`, `rounded_1`, ..., the same with the
teacher's weights moved by a rounding, drawn anew for each number; `mirrored`, 2 devices
of this CPU; `workers`, as `TF_CONFIG` says; `data_parallel`, all devices of JAX. Writes
`FOLDER/STRATEGY-RECIPE.npz` for each of them and of the recipes.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "explainer")]

from compilation import few_optimizations  # noqa: E402
from small_teacher import make_images, make_teacher  # noqa: E402

from keras_explainer.explainer import Explainer, warm_start  # noqa: E402

warm_start.MOST_CELLS = 2000

# All losses of the package, and the random drop, are in one of them.
SETTINGS: dict[str, dict[str, Any]] = {
    "single": {"filters": 6, "filter_loss_weight": 1.0, "ordinary_drop": 0.3},
    "places": {
        "filters": 8,
        "places": 4,
        "steps_per_epoch": 3,
        "learning_rate": 1e-3,
    },
    "paper": {"filters": 6, "tau": 0.1},
}
# 9 in batches of 8: a replica of TensorFlow has no image of the last one. JAX shares
# out equal parts only.
VALIDATION, PREDICTED = (10, 6) if keras.backend.backend() == "jax" else (9, 5)


def strategy_of(name: str) -> Any:
    """What is to be entered, or None."""
    if name == "one" or name.startswith("rounded"):
        return None
    if name == "data_parallel":
        return keras.distribution.DataParallel()
    import tensorflow as tf

    if name == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [device] * 2)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


class StepLosses(keras.callbacks.Callback):
    """The loss after each step, a mean over the epoch so far."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.values.append(float(logs["loss"]))


def learned(
    strategy: Any, recipe: str, batch: int, epochs: int, rounded: int | None
) -> dict[str, Any]:
    """Logs, losses, all weights and the maps of an explainer."""
    everywhere = isinstance(strategy, keras.distribution.DataParallel)
    scope = contextlib.nullcontext() if strategy is None else strategy.scope()
    with contextlib.ExitStack() as stack:
        if everywhere:
            stack.enter_context(scope)
        teacher = make_teacher()
        if rounded is not None:
            random = np.random.default_rng(rounded)
            for weight in teacher.graph.variables:
                value = keras.ops.convert_to_numpy(weight)
                weight.assign(value * (1 + random.choice([-6e-8, 6e-8], value.shape)))
        keras.utils.set_random_seed(0)
        with contextlib.nullcontext() if everywhere else scope:
            explainer = Explainer(teacher, recipe=recipe, **SETTINGS[recipe])
            explainer.compile("adam")
        return _fitted(explainer, batch, epochs)


def _fitted(explainer: Explainer, batch: int, epochs: int) -> dict[str, Any]:
    losses = StepLosses()
    history = explainer.fit(
        make_images(24),
        batch_size=batch,
        epochs=epochs,
        validation_data=make_images(VALIDATION, seed=1),
        callbacks=[losses],
        verbose=0,
    )
    images = make_images(PREDICTED, seed=2)
    found = explainer.predict(images, batch_size=4, verbose=0)
    figures = explainer.evaluate(images, batch_size=4, verbose=0, return_dict=True)
    out: dict[str, Any] = {f"log/{k}": v for k, v in history.history.items()}
    out |= {f"evaluated/{name}": value for name, value in figures.items()}
    out["steps"] = losses.values
    out["maps"] = found["part_maps"]
    for number, variable in enumerate(explainer.weights):
        name = f"weight/{number:02d} {variable.path}"
        out[name] = keras.ops.convert_to_numpy(variable)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("strategies")
    parser.add_argument("recipes")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=2)
    given = parser.parse_args()
    strategies = {name: strategy_of(name) for name in given.strategies.split(",")}
    for recipe in given.recipes.split(","):
        for name, strategy in strategies.items():
            kind, _, draw = name.partition("_")
            rounded = int(draw) if kind == "rounded" else None
            with few_optimizations():
                found = learned(strategy, recipe, given.batch, given.epochs, rounded)
            np.savez(given.folder / f"{name}-{recipe}.npz", **found)


if __name__ == "__main__":
    main()
