"""Runs that are begun on two devices and go on with one, and the reverse: a script.

    python change_devices.py FOLDER

Writes the weights of a run that was not interrupted, and of both others.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "runs")]

import drawn_data  # noqa: E402

from keras_explainer import runs  # noqa: E402
from keras_explainer.explainer import warm_start  # noqa: E402

warm_start.MOST_CELLS = 2000


class Interrupt(keras.callbacks.Callback):
    """Ends learning in the second epoch, as a killed process would."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.epoch == 1:
            raise KeyboardInterrupt


def main(folder: Path) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [device] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    file = drawn_data.write_teacher(folder / "small.keras")
    recipe = {"batch_size": 6, "views": 2, "ordinary_drop": 0.3}
    config = runs.RunConfig(
        teacher=runs.make_teacher(file, tap="tap", targets=["high"]).source,
        data=runs.DataConfig(str(drawn_data.write_images(folder / "drawn"))),
        explainer=runs.ExplainerConfig(
            filters=5, recipe=runs.resolve_recipe("single", recipe)
        ),
        learning=runs.LearningConfig(epochs=2, validation_share=0.2, patience=2),
    )
    one = contextlib.nullcontext
    for name, first, then in (
        ("whole", one, None),
        ("two_one", strategy.scope, one),
        ("one_two", one, strategy.scope),
    ):
        out = folder / name
        if then is not None:
            with first(), contextlib.suppress(KeyboardInterrupt):
                runs.train(out, config, callbacks=[Interrupt()])
                raise AssertionError("it was not interrupted")
            with then():
                runs.resume(out)
        else:
            with first():
                runs.train(out, config)
        # Opened on one device, whatever it was learned on.
        explainer = runs.RunFolder.open(out).load_explainer()
        assert keras.ops.convert_to_numpy(explainer.statistics.measured) == 1
        np.savez(
            folder / f"{name}.npz",
            **{
                f"{number} {variable.path}": keras.ops.convert_to_numpy(variable)
                for number, variable in enumerate(explainer.weights)
            },
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
