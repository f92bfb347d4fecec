"""Serialisation registry: `.keras` files reload without `custom_objects`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import keras

PACKAGE = "keras_explainer"

T = TypeVar("T", bound=type)


def registered(cls: T) -> T:
    """Class decorator: registers `cls` with Keras as `keras_explainer>Name`."""
    register: Callable[[T], T] = keras.saving.register_keras_serializable(
        package=PACKAGE
    )
    return register(cls)
