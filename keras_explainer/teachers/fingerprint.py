"""One hash of what a teacher computes: graph, weights, preprocessing, tap, targets."""

from __future__ import annotations

import hashlib
import inspect
import json
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_explainer.teachers.graph_cut import GraphCut
from keras_explainer.teachers.preprocessing import Preprocessing

# What a layer's configuration says besides what the layer computes.
_IRRELEVANT = {
    "name",
    "trainable",
    "seed",
    "build_config",
    "module",
    "registered_name",
    "batch_shape",
    "optional",
}
_IRRELEVANT_ENDS = ("_initializer", "_regularizer", "_constraint")


def fingerprint(cut: GraphCut, preprocessing: Preprocessing) -> str:
    """A sha256 over the whole teacher, the same on every backend and in every process.

    Layer names are left out, since automatic names differ from one build to the next;
    tap, targets and answer go in by position.

    Args:
        cut: The teacher's graph with tap and targets.
        preprocessing: What comes before it.

    Returns:
        64 hexadecimal digits.
    """
    graph = cut.graph
    digest = hashlib.sha256()
    seen: dict[int, int] = {}
    for step in graph.steps:
        first = id(step.operation) not in seen
        number = seen.setdefault(id(step.operation), len(seen))
        entry = [
            number,
            type(step.operation).__name__,
            list(step.inputs),
            list(step.outputs),
            _arguments(step),
            relevant_config(step.operation) if first else None,
        ]
        digest.update(_json(entry))
        if first and isinstance(step.operation, keras.Layer):
            _add_weights(digest, step.operation)
    digest.update(_json([cut.tap, list(cut.targets), cut.output]))
    digest.update(_json(preprocessing.mode))
    if preprocessing.layer is not None:
        digest.update(_json(type(preprocessing.layer).__name__))
        digest.update(_json(relevant_config(preprocessing.layer)))
        _add_weights(digest, preprocessing.layer)
    return digest.hexdigest()


def file_sha256(path: str | PathLike[str]) -> str:
    """The sha256 of a file's bytes, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_sha256(path: Path) -> str:
    """One sha256 over the names and bytes of a folder's files."""
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        # TensorFlow's own fingerprint differs from one export of a model to the next.
        if not file.is_file() or file.name == "fingerprint.pb":
            continue
        total.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()


def relevant_config(operation: Any) -> Any:
    """What of an operation's configuration changes what it computes.

    Arguments of Keras' own layers that have their default are left out: another version
    of Keras may have fewer or more of them. A user's default may change with the code.
    """
    try:
        config = _stripped(operation.get_config())
        if not type(operation).__module__.startswith("keras."):
            return config
        parameters = inspect.signature(type(operation).__init__).parameters
        return {
            key: value
            for key, value in config.items()
            if key not in parameters
            or _json(value) != _json(_stripped(parameters[key].default))
        }
    except Exception:
        # A layer of the user's without get_config: its class and weights must do.
        return None


def _stripped(config: Any) -> Any:
    if isinstance(config, dict):
        if config.get("class_name") in ("DTypePolicy", "FloatDTypePolicy"):
            return config["config"]["name"]
        return {
            key: _stripped(value)
            for key, value in config.items()
            if value is not None
            and key not in _IRRELEVANT
            and not key.endswith(_IRRELEVANT_ENDS)
        }
    if isinstance(config, list | tuple):
        return [_stripped(value) for value in config]
    if isinstance(config, keras.DTypePolicy):
        return config.name
    return config


def _arguments(step: Any) -> str:
    """The call's arguments with each tensor replaced by a mark."""
    if step.node is None:
        return ""

    def mark(argument: Any) -> Any:
        if isinstance(argument, keras.KerasTensor):
            return "tensor"
        if hasattr(argument, "shape"):
            array = keras.ops.convert_to_numpy(argument)
            return [list(array.shape), np.ascontiguousarray(array).tobytes().hex()]
        return argument

    args, kwargs = step.node.arguments.convert(mark)
    kwargs = {key: value for key, value in kwargs.items() if key != "training"}
    return str(_lists([args, sorted(kwargs.items())]))


def _lists(content: Any) -> Any:
    """Tuples as lists, as a saved model gives them back."""
    if isinstance(content, list | tuple):
        return [_lists(part) for part in content]
    return content


def _add_weights(digest: Any, layer: keras.Layer) -> None:
    for variable in layer.weights:
        array = np.ascontiguousarray(keras.ops.convert_to_numpy(variable))
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())


def _json(content: Any) -> bytes:
    return json.dumps(content, sort_keys=True, default=_plain).encode()


def _plain(content: Any) -> Any:
    if hasattr(content, "tolist"):
        return content.tolist()
    return type(content).__name__
