"""Which optimiser learns an explainer, at which rate, and in which coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

from keras_explainer import global_batch
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError
from keras_explainer.explainer.batched import batched
from keras_explainer.explainer.rate_schedule import rate_schedule
from keras_explainer.explainer.recipe import Recipe
from keras_explainer.explainer.start_sample import start_tap
from keras_explainer.explainer.whitened_adam import WhitenedAdam

if TYPE_CHECKING:
    from keras_explainer.explainer.explainer import Explainer

ORDINARY_KERNEL = "ordinary/kernel"
ADAPTER_KERNEL = "adapter/kernel"
"""Kernels that `WhitenedAdam` whitens, by the ends of their paths."""


def default_jit() -> Any:
    """`jit_compile` where the user gives none: off for TensorFlow without a GPU."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return "auto" if tf.config.list_physical_devices("GPU") else False
    return "auto"


def choose_optimizer(
    optimizer: Any, given_rate: Any, recipe: Recipe
) -> tuple[Any, float | None]:
    """An optimiser, and the rate that `fit` is to schedule (None: as it is).

    Raises:
        ConfigError: a rate beside an optimiser that has one.
    """
    if not isinstance(optimizer, str):
        if given_rate is not None:
            raise ConfigError(
                "learning_rate goes with an optimiser's name; set it in the optimiser."
            )
        return optimizer, None
    rate = given_rate or recipe.learning_rate
    made: Any
    if recipe.whitened and optimizer.lower() == "adam":
        made = WhitenedAdam(rate, whitened=(ORDINARY_KERNEL, ADAPTER_KERNEL))
    else:
        made = keras.optimizers.get(
            {"class_name": optimizer, "config": {"learning_rate": rate}}
        )
    return made, None if callable(rate) else float(rate)


def schedule_rate(explainer: Explainer, steps: int) -> None:
    """Gives the optimiser `rate_schedule`, where the rate is not the user's own."""
    if explainer._scheduled is None or not steps:
        return
    explainer.optimizer.learning_rate = rate_schedule(explainer._scheduled, steps)


def whiten(explainer: Explainer, sample: FeatureCache) -> None:
    """Gives a `WhitenedAdam` its coordinates, once."""
    optimizer = explainer.optimizer
    # Keras wraps it where the loss is scaled, for float16.
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not isinstance(optimizer, WhitenedAdam):
        return
    global_batch.build_optimizer(explainer)
    if optimizer.is_measured:
        return
    tap = start_tap(sample)
    encoding = batched(
        lambda batch: explainer.encoder(batch, training=False)["encoding"], tap
    )
    optimizer.whiten(
        {
            ORDINARY_KERNEL: tap.reshape(-1, tap.shape[-1]),
            ADAPTER_KERNEL: encoding.reshape(-1, encoding.shape[-1]),
        }
    )
