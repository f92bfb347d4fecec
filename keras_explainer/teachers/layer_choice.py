"""What a user asks for by path: the targets and the answer of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_explainer.errors import TeacherError, did_you_mean
from keras_explainer.teachers.classifier_head import find_logits
from keras_explainer.teachers.default_layers import (
    default_tap,
    default_targets,
    tap_at,
)
from keras_explainer.teachers.model_graph import ModelGraph
from keras_explainer.teachers.receptive_fields import ReceptiveFields


def named_tap(graph: ModelGraph, tap: str | Mapping[str, int] | None) -> int | None:
    """The value of a tap that is given by its path; None for one that is not."""
    if tap is None or isinstance(tap, Mapping):
        return None
    return graph.resolve(tap, "tap")


def choose_tap(
    graph: ModelGraph,
    tap: str | Mapping[str, int] | None,
    named: int | None,
    targets: Sequence[int],
    fields: ReceptiveFields,
) -> int:
    """The tap's value: as named, by stride and position, or the default.

    Raises:
        TeacherError: a mapping that is not `{"stride": ..., "position": ...}`, or no
            such cut.
    """
    if named is not None:
        return named
    if tap is None:
        return default_tap(graph, targets, fields)
    known = ("stride", "position")
    given = dict(tap) if isinstance(tap, Mapping) else {}
    for key, value in given.items():
        if key not in known:
            raise TeacherError(
                f"A tap by position has no {key!r}. {did_you_mean(str(key), known)}"
            )
        if isinstance(value, bool) or not isinstance(value, int):
            raise TeacherError(f"The tap's {key} is a whole number, got {value!r}.")
    if "stride" not in given:
        raise TeacherError(
            'A tap by position is {"stride": 16, "position": -1}; the stride is '
            f"missing in {given!r}."
        )
    return tap_at(graph, targets, fields, given["stride"], given.get("position", -1))


def choose_targets(
    graph: ModelGraph, targets: Sequence[str] | None, answer: int, tap: int | None
) -> dict[int, str]:
    """The targets' values with the paths that they were asked by."""
    if targets is None:
        chosen = default_targets(graph, answer, tap)
        return {value: graph.name_of(value) for value in chosen}
    if isinstance(targets, str):
        raise TeacherError(
            f"targets is a list of paths, got the string '{targets}'. Use "
            f"targets=['{targets}']."
        )
    if not targets:
        raise TeacherError("Give at least one target, or None for the default.")
    wanted: dict[int, str] = {}
    for path in targets:
        value = graph.resolve(path, "target")
        if value in wanted:
            raise TeacherError(
                f"The targets '{wanted[value]}' and '{path}' are the same layer; "
                "give each once."
            )
        wanted[value] = path
    return wanted


def choose_output(graph: ModelGraph, output: str | None) -> int:
    """The value of the chosen output.

    By default the first that ends in a softmax or sigmoid; without one, the first.
    """
    if output is None:
        for value in graph.outputs:
            logits = find_logits(graph, value)
            if logits is not None and logits.activation != "linear":
                return value
        return graph.outputs[0]
    names = dict(zip(graph.output_names, graph.outputs, strict=True))
    if output not in names:
        raise TeacherError(
            f"'{graph.model.name}' has no output '{output}'. "
            f"{did_you_mean(output, names)}"
        )
    return names[output]


def checked_labels(labels: Sequence[str] | None, count: int) -> list[str] | None:
    """The names of the classes, as many as there are outputs."""
    if labels is None:
        return None
    names = [str(label) for label in labels]
    if len(names) != count:
        raise TeacherError(
            f"{len(names)} labels were given for {count} outputs; give one for each."
        )
    return names


def check_finite(graph: ModelGraph) -> None:
    for variable in graph.variables:
        array = keras.ops.convert_to_numpy(variable)
        if array.dtype.kind in "fV" and not np.isfinite(array.astype("float32")).all():
            raise TeacherError(
                f"The weight '{variable.path}' of '{graph.model.name}' has NaN or "
                "infinite values; load sound weights."
            )
