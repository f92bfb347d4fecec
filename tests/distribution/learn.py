"""Learns on one device and on several, and writes what came of it: a script.

    python learn.py FOLDER STRATEGIES RECIPES BATCH EPOCHS

Strategies, with commas: `one`, `mirrored` (2 devices of this CPU), `workers` (as
`TF_CONFIG` says), `data_parallel` (JAX, all devices). Writes `FOLDER/STRATEGY-RECIPE.npz` for each.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import keras
import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "explainer")]

from small_teacher import make_images, make_teacher  # noqa: E402

from keras_explainer.explainer import Explainer, warm_start  # noqa: E402

warm_start.MOST_CELLS = 2000


def strategy_of(name):
    if name == "one":
        return None
    if name == "data_parallel":
        return keras.distribution.DataParallel()
    import tensorflow as tf

    if name == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


class Losses(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_end(self, batch, logs=None):
        self.values.append(float(logs["loss"]))


SETTINGS = {
    "default": {"filters": 6, "filter_loss_weight": 1.0, "ordinary_drop": 0.3},
    "places": {"filters": 8, "places": 4, "detectors": 6, "place_epochs": 2},
    "paper": {"filters": 6},
}


def learned(strategy, recipe, batch, epochs):
    if isinstance(strategy, keras.distribution.DataParallel):
        with strategy.scope():  # of all that is done, not of what is made alone
            return _learned(None, recipe, batch, epochs)
    return _learned(strategy, recipe, batch, epochs)


def _learned(strategy, recipe, batch, epochs):
    teacher = make_teacher()
    keras.utils.set_random_seed(0)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        explainer = Explainer(teacher, recipe=recipe, **SETTINGS[recipe])
        explainer.compile("adam")
    losses = Losses()
    history = explainer.fit(
        make_images(24),
        batch_size=batch,
        epochs=epochs,
        validation_data=make_images(13, seed=1),
        callbacks=[losses],
        verbose=0,
    )
    maps = explainer.predict(make_images(5, seed=2), batch_size=4, verbose=0)
    out = {f"log/{k}": v for k, v in history.history.items()}
    out["loss"] = losses.values
    for index, variable in enumerate(explainer.weights):
        name = f"weight/{index:02d} {variable.path}"
        out[name] = keras.ops.convert_to_numpy(variable)
    out["part_maps"] = maps["part_maps"]
    return out


if __name__ == "__main__":
    folder, names, recipes, batch, epochs = sys.argv[1:]
    strategies = {name: strategy_of(name) for name in names.split(",")}
    for name, strategy in strategies.items():
        for recipe in recipes.split(","):
            found = learned(strategy, recipe, int(batch), int(epochs))
            np.savez(Path(folder) / f"{name}-{recipe}.npz", **found)
