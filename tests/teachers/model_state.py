"""All of a model's state that a teacher must leave as it is."""

from __future__ import annotations

from typing import Any

import archetypes
import keras


def operations_of(model: Any) -> list[Any]:
    """All operations of a model and of the models within it."""
    found = []
    for operation in model.operations if hasattr(model, "operations") else model.layers:
        found.append(operation)
        if hasattr(operation, "layers"):
            found.extend(operations_of(operation))
    return found


def state(model: keras.Model) -> dict[str, Any]:
    """Weights and optimizer to the bit, flags, names, counts of nodes and losses."""
    parts = [model, *operations_of(model)]
    return {
        "weights": [keras.ops.convert_to_numpy(v).tobytes() for v in model.variables],
        "trainable": [getattr(part, "trainable", None) for part in parts],
        "built": [getattr(part, "built", None) for part in parts],
        "names": [part.name for part in parts],
        "inbound": [len(part._inbound_nodes) for part in parts],
        "outbound": [len(part._outbound_nodes) for part in parts],
        "losses": [len(getattr(part, "_losses", [])) for part in parts],
        "optimizer": [
            keras.ops.convert_to_numpy(v).tobytes() for v in model.optimizer.variables
        ],
        "activations": [id(getattr(part, "activation", None)) for part in parts],
    }


def compiled(name: str) -> keras.Model:
    """A compiled archetype with an optimizer that has state, its first layer frozen."""
    model = archetypes.build(name)
    first = next(layer for layer in model.layers if layer.weights)
    first.trainable = False
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model
