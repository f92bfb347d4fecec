"""Teachers from the zoo's configurations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_explainer.errors import ConfigError, TeacherError
from keras_explainer.teachers import Teacher

from .public_weights import fetch_weights
from .zoo_config import ZooConfig


def teacher(
    name: str | ZooConfig,
    *,
    weights: str | os.PathLike[str] | None = "public",
    input_shape: Sequence[int] | None = None,
    labels: Sequence[str] | None = None,
    **arguments: Any,
) -> Teacher:
    """A CNN of the zoo as a teacher, cut as its configuration says.

    Args:
        name: of the CNN, one of `ZooConfig.names()`, or a configuration.
        weights: "public" for the published ones (downloaded once and kept), the path of
            a `.weights.h5`, `.h5`, `.keras` or `.mat` file, or None for random ones.
        input_shape: (H, W, 3); the configuration's by default.
        labels: names of the classes.
        **arguments: of the constructor, for instance `alpha=0.75`, `classes=20`.

    Raises:
        ZooError: no such CNN; weights that cannot be had, or have another hash.
        TeacherError: weights that do not fit; a tap that is no cut in this Keras.
        ConfigError: "public" weights for other arguments than they were made for.
    """
    config = ZooConfig.named(name) if isinstance(name, str) else name
    if weights == "public":
        if arguments:
            raise ConfigError(
                f"The public weights of {config.name} are for the network as it is; "
                f"with {', '.join(arguments)} give the path of a weights file."
            )
        weights = fetch_weights(config.weights[0])
    try:
        return Teacher.from_applications(
            config.constructor,
            weights=weights,
            tap=config.tap.choice(),
            targets=config.targets,
            input_shape=input_shape or config.input_shape,
            preprocessing=config.preprocessing,
            labels=labels,
            **{**config.arguments, **arguments},
        )
    except TeacherError as error:
        raise TeacherError(
            f"{config.name} (Keras {keras.__version__}): {error}"
        ) from error
