"""Networks of keras.applications, and those beside them, as teachers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError, did_you_mean
from keras_explainer.teachers.networks import NETWORKS
from keras_explainer.teachers.preprocessing import MODES, Preprocessing

# The size for networks that take any, when the user gives none.
ANY_SIZE = (224, 224, 3)


def application_names() -> list[str]:
    """The constructors of keras.applications, sorted."""
    return sorted(
        name
        for name, thing in vars(keras.applications).items()
        if inspect.isfunction(thing) and name[0].isupper()
    )


def constructor(name: str) -> Callable[..., keras.Model]:
    """The constructor of that name, of keras.applications or of `networks`.

    Raises:
        TeacherError: There is none; the nearest names are listed.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    if name not in application_names():
        raise TeacherError(
            f"keras.applications has no '{name}'. "
            f"{did_you_mean(name, [*application_names(), *NETWORKS])}"
        )
    return getattr(keras.applications, name)


def preprocessing_mode(name: str) -> str:
    """The preprocessing of a network, found by a probe of its `preprocess_input`.

    Raises:
        TeacherError: Its function is none of the known modes.
    """
    if name in NETWORKS:
        return "identity"  # The mean image is a layer of the network.
    preprocess_input = _preprocess_input(name, constructor(name))
    probe = np.linspace(1.0, 254.0, 2 * 3 * 3).reshape(1, 2, 3, 3).astype("float32")
    expected = np.asarray(preprocess_input(probe.copy()), "float32")
    for mode in MODES:
        found = keras.ops.convert_to_numpy(Preprocessing(mode)(probe))
        if np.allclose(found, expected, rtol=1e-5, atol=1e-4):
            return mode
    raise TeacherError(
        f"The preprocessing of keras.applications.{name} is none of "
        f"{', '.join(MODES)}. Give preprocessing=, a mode or a keras Layer."
    )


def build_application(
    name: str, input_shape: tuple[int, ...] | None, arguments: dict[str, Any]
) -> keras.Model:
    """Builds a network with random weights, and with layer names as in a new process.

    Args:
        name: Constructor in keras.applications.
        input_shape: (H, W, C), or None for the network's own.
        arguments: Further arguments of the constructor.

    Raises:
        TeacherError: Arguments that the constructor does not take.
    """
    build = constructor(name)
    accepted = inspect.signature(build).parameters
    for argument in arguments:
        if argument not in accepted:
            raise TeacherError(
                f"{name} has no argument '{argument}'. "
                f"{did_you_mean(argument, accepted)}"
            )
    given = {**arguments, "weights": None}
    if input_shape is not None:
        given["input_shape"] = tuple(input_shape)
    model = _build(name, build, given)
    if None in tuple(model.inputs[0].shape[1:]):
        model = _build(name, build, {**given, "input_shape": ANY_SIZE})
    return model


def imagenet_weights(
    name: str, model: keras.Model, input_shape: Any, arguments: dict[str, Any]
) -> None:
    """Loads Keras' own ImageNet weights (downloaded by Keras) into `model`.

    Raises:
        TeacherError: They cannot be had, or do not fit.
    """
    if name in NETWORKS:
        raise TeacherError(
            f"Keras has no ImageNet weights of {name}. Give the path of a weights "
            "file: the zoo says where to get it (`keras-explainer zoo show`)."
        )
    given = {**arguments, "weights": "imagenet"}
    given["input_shape"] = tuple(input_shape or model.inputs[0].shape[1:])
    source = _build(name, constructor(name), given)
    try:
        model.set_weights(source.get_weights())
    except ValueError as error:
        raise TeacherError(
            f"The ImageNet weights do not fit {name} with these arguments: {error}"
        ) from error


def _build(
    name: str, build: Callable[..., keras.Model], given: dict[str, Any]
) -> keras.Model:
    try:
        with fresh_layer_names():
            return build(**given)
    except Exception as error:
        hint = (
            " Without a network give the path of a weights file instead."
            if given["weights"] == "imagenet"
            else ""
        )
        reason = " ".join(str(error).split())
        raise TeacherError(
            f"{name} cannot be built with "
            f"{ {k: v for k, v in given.items() if v is not None} }: {reason}{hint}"
        ) from error


def _preprocess_input(name: str, build: Any) -> Callable[[Any], Any]:
    """The preprocessing that lies beside a constructor, in the module that has both."""
    module = inspect.getmodule(build)
    function = getattr(module, "preprocess_input", None)
    if function is None:
        raise TeacherError(
            f"keras.applications.{name} has no preprocess_input beside it. Give "
            "preprocessing=, a mode or a keras Layer."
        )
    return function


@contextmanager
def fresh_layer_names() -> Iterator[None]:
    """Within it Keras numbers automatic layer names from the start.

    So that the second InceptionV3 of a process has the layer names of the first, and
    a tap's name finds the same layer in every process. Names are unique per model
    only, so two models may share them.
    """
    try:
        from keras.src.backend.common import global_state
    except ImportError:
        # Another layout of Keras: names are numbered on, taps by position still work.
        yield
        return
    key = "object_name_uids"
    before = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(key, before)
