"""Which layers cut a graph in two, and checks that a tap and its targets do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.model_graph import ModelGraph


@dataclass(frozen=True)
class GraphCut:
    """A teacher's graph split at a tap: value indices of `graph`.

    `head_output` is the value of the model's answer when everything between the
    last target and that answer goes through the last target, else None.
    """

    graph: ModelGraph
    tap: int
    targets: tuple[int, ...]
    target_names: tuple[str, ...]
    output: int
    head_output: int | None


def cut_graph(
    graph: ModelGraph, tap: int, targets: Mapping[int, str], output: int
) -> GraphCut:
    """Checks that `tap` cuts the input from every target, and the order of both.

    Args:
        graph: The flattened teacher.
        tap, targets, output: Value indices; targets with their names, in any order.

    Raises:
        TeacherError: The tap has no spatial map; a target lies before, at or beside
            the tap; the tap is no cut (the layers nearby that are get listed).
    """
    shape = graph.values[tap].shape
    if len(shape) != 4:
        raise TeacherError(
            f"The tap '{graph.name_of(tap)}' has outputs of shape {shape}, no spatial "
            "map (batch, height, width, channels): a tap is a feature map of a "
            f"convolutional network. {_nearby(graph, tap, targets)}"
        )
    ancestors = ancestor_sets(graph)
    for target in targets:
        name, tap_name = graph.name_of(target), graph.name_of(tap)
        if target == tap:
            raise TeacherError(
                f"The target '{name}' is the tap itself; targets lie after it."
            )
        if ancestors[tap] >> target & 1:
            raise TeacherError(
                f"The target '{name}' lies before the tap '{tap_name}'; targets lie "
                "after it. Exchange them, or choose a later target."
            )
        if not ancestors[target] >> tap & 1:
            raise TeacherError(
                f"The target '{name}' does not depend on the tap '{tap_name}' (it "
                f"lies on another branch). {_nearby(graph, tap, targets)}"
            )
    dominators = dominator_sets(graph, graph.input)
    for target in targets:
        if not dominators[target] >> tap & 1:
            raise TeacherError(
                f"The tap '{graph.name_of(tap)}' is no cut: {_bypass(graph, tap)} "
                f"reaches the target '{graph.name_of(target)}' without passing "
                f"through it. {_nearby(graph, tap, targets)}"
            )
    ordered = tuple(sorted(targets))
    after_last = dominator_sets(graph, graph.input)[output] >> ordered[-1] & 1
    names = tuple(targets[target] for target in ordered)
    return GraphCut(graph, tap, ordered, names, output, output if after_last else None)


def ancestor_sets(graph: ModelGraph) -> list[int]:
    """For each value the bit set of all values that it depends on."""
    sets = [0] * len(graph.values)
    for step in graph.steps:
        bits = 0
        for value in step.inputs:
            bits |= sets[value] | 1 << value
        for value in step.outputs:
            sets[value] = bits
    return sets


def dominator_sets(graph: ModelGraph, source: int) -> list[int]:
    """For each value the bit set of the values that every path from `source` crosses.

    A value belongs to its own set. Values that do not depend on `source` have 0.
    """
    sets = [0] * len(graph.values)
    sets[source] = 1 << source
    for step in graph.steps:
        reached = [sets[value] for value in step.inputs if sets[value]]
        bits = reached[0] if reached else 0
        for other in reached[1:]:
            bits &= other
        for value in step.outputs:
            sets[value] = bits | 1 << value if reached else 0
    return sets


def common_cuts(graph: ModelGraph, sinks: Iterable[int]) -> list[int]:
    """The values that cut the model's input from every sink, in graph order.

    The input and the sinks themselves are left out.
    """
    sinks = list(sinks)
    dominators = dominator_sets(graph, graph.input)
    bits = -1
    for sink in sinks:
        bits &= dominators[sink]
    return [
        value.index
        for value in graph.values
        if bits >> value.index & 1
        and value.index != graph.input
        and value.index not in sinks
    ]


def valid_taps(graph: ModelGraph, targets: Iterable[int]) -> list[int]:
    """The cuts before the targets that have a spatial map, in graph order."""
    return [
        value
        for value in common_cuts(graph, targets)
        if has_spatial_map(graph, value) and _is_addressable(graph, value)
    ]


def has_spatial_map(graph: ModelGraph, value: int) -> bool:
    """Whether a value is (batch, H, W, channels) with more than one cell."""
    shape = graph.values[value].shape
    return len(shape) == 4 and (shape[1] or 2) * (shape[2] or 2) > 1


def _is_addressable(graph: ModelGraph, value: int) -> bool:
    """Whether the value's layer has one call and one output, so that a path works."""
    try:
        return graph.resolve(graph.name_of(value)) == value
    except TeacherError:
        return False


def _bypass(graph: ModelGraph, tap: int) -> str:
    """Names the value before the tap from which a path goes around it."""
    dominators = dominator_sets(graph, graph.input)
    before = [
        value
        for value in range(len(graph.values))
        if dominators[tap] >> value & 1 and value != tap
    ]
    ancestors = ancestor_sets(graph)
    # The last cut before the tap with a consumer that the tap does not dominate.
    for value in sorted(before, reverse=True):
        for step in graph.steps:
            if value not in step.inputs:
                continue
            for output in step.outputs:
                if output != tap and not ancestors[tap] >> output & 1:
                    return f"'{step.path}' (fed by '{graph.name_of(value)}')"
    return "another path from the input"


def _nearby(graph: ModelGraph, tap: int, targets: Iterable[int]) -> str:
    """A sentence that lists the valid taps nearest to the asked one."""
    taps = valid_taps(graph, targets)
    if not taps:
        return (
            "No layer of this model cuts the input from the targets with a spatial "
            "map: choose later targets, or a convolutional model."
        )
    before = [value for value in taps if value < tap][-3:]
    after = [value for value in taps if value > tap][:3]
    names = ", ".join(graph.name_of(value) for value in before + after)
    return f"Layers nearby that are valid taps: {names}."
