"""Learn an explainer on several devices, with the result of one.

    python examples/train_on_several_devices.py [--devices N] [--virtual] [--out FILE]

Takes all GPUs of the machine, or with `--virtual` N devices made of its processor, to
try it where there are none. With `KERAS_BACKEND=jax` they are JAX's devices. Where
`TF_CONFIG` names workers, this process is one of them: start it on each.

Draws its images; the teacher is the zoo's, for drawn creatures.
"""

from __future__ import annotations

import argparse
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import keras

import keras_explainer as kx
from keras_explainer.datasets.creatures import Creatures


def tensorflow_strategy(devices: int | None, virtual: bool) -> Any:
    """A strategy of `tf.distribute`, made before anything else of TensorFlow."""
    import tensorflow as tf

    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if virtual:
        made = [tf.config.LogicalDeviceConfiguration()] * (devices or 2)
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, made)
        names = [f"CPU:{number}" for number in range(len(made))]
        return tf.distribute.MirroredStrategy(names)
    names = [f"GPU:{number}" for number in range(devices)] if devices else None
    return tf.distribute.MirroredStrategy(names)


def jax_distribution(devices: int | None) -> Any:
    """Data parallelism; virtual devices are made by XLA_FLAGS, before Python starts."""
    return keras.distribution.DataParallel(
        devices=keras.distribution.list_devices()[:devices]
    )


def main() -> None:
    """Learns, and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--devices", type=int, help="Default: all.")
    parser.add_argument("--virtual", action="store_true")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--recipe", default="places")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    made_under: AbstractContextManager[Any]
    if keras.backend.backend() == "jax":
        # All that follows is shared out, so that it is set for all.
        keras.distribution.set_distribution(jax_distribution(arguments.devices))
        made_under = nullcontext()
    elif arguments.devices == 1:
        made_under = nullcontext()
    else:
        strategy = tensorflow_strategy(arguments.devices, arguments.virtual)
        made_under = strategy.scope()

    keras.utils.set_random_seed(0)
    teacher = kx.zoo.load("creatures").teacher
    images = Creatures(96, ["griffin"], seed=7).generate(arguments.images).images
    with made_under:
        explainer = kx.Explainer(teacher, filters=16, recipe=arguments.recipe)
        explainer.compile(optimizer="adam")
    history = explainer.fit(images, epochs=arguments.epochs, verbose=0).history
    print(f"loss {history['loss'][-1]:.4f}, p {history['p'][-1]:.4f}")

    first = "TF_CONFIG" not in os.environ or '"index": 0' in os.environ["TF_CONFIG"]
    if arguments.out is not None and first:
        explainer.save(arguments.out)  # opens on one device, as any explainer does


if __name__ == "__main__":
    main()
