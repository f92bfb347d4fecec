"""Answers of a SavedModel, in a process that knows neither Keras nor this package.

Run as a file: `python reloaded.py FOLDER REQUESTS ANSWERS FACTS`. As TensorFlow Serving
takes it: a session, the tag `serve`, tensors by the names in the signatures.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import numpy as np
import tensorflow as tf


def main(folder: str, requests: str, answers: str, facts: str) -> None:
    """Answers every request of a file.

    Args:
        folder: The SavedModel.
        requests: npz of arrays `signature/input`; texts as base64.
        answers: npz that is written: `signature/output`.
        facts: JSON that is written: signatures, kinds of operations, versions.
    """
    found: dict[str, Any] = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        with np.load(requests, allow_pickle=False) as file:
            given = {name: file[name] for name in file.files}
        for signature in dict.fromkeys(name.partition("/")[0] for name in given):
            served = meta.signature_def[signature]
            feed = {
                info.name: _decoded(given[f"{signature}/{name}"])
                for name, info in served.inputs.items()
            }
            names = {name: info.name for name, info in served.outputs.items()}
            for name, value in session.run(names, feed).items():
                value = np.asarray(value)
                text = value.dtype == object
                found[f"{signature}/{name}"] = value.astype("S") if text else value
    np.savez(answers, **found)
    operations = {node.op for node in meta.graph_def.node}
    for function in meta.graph_def.library.function:
        operations |= {node.op for node in function.node_def}
    told = {
        "tensorflow": tf.__version__,
        "operations": sorted(operations),
        "signatures": {
            name: {
                "method": served.method_name,
                "inputs": _tensors(served.inputs),
                "outputs": _tensors(served.outputs),
            }
            for name, served in sorted(meta.signature_def.items())
            if not name.startswith("__")
        },
    }
    with open(facts, "w", encoding="utf-8") as file:
        json.dump(told, file)


def _decoded(value: Any) -> Any:
    if value.dtype.kind != "S":
        return value
    return np.array([base64.b64decode(text) for text in value], object)


def _tensors(tensors: Any) -> dict[str, Any]:
    return {
        name: {
            "dtype": tf.as_dtype(info.dtype).name,
            "shape": [size.size for size in info.tensor_shape.dim],
        }
        for name, info in sorted(tensors.items())
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
