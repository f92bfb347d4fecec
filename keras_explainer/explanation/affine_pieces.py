"""`AffinePieces`: a network of affine layers and activations, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from keras_explainer.explanation.affine_start import AffineStart, is_affine
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.classifier_head import activation_of, without_activation
from keras_explainer.teachers.graph_step import Step, call_step

NARROW = 1e-4
"""Half an interval, below which a secant is taken over a wider one."""

_PURE = (
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
_ELEMENTWISE = {
    keras.activations.elu,
    keras.activations.exponential,
    keras.activations.gelu,
    keras.activations.hard_sigmoid,
    keras.activations.hard_silu,
    keras.activations.leaky_relu,
    keras.activations.mish,
    keras.activations.relu,
    keras.activations.relu6,
    keras.activations.selu,
    keras.activations.sigmoid,
    keras.activations.silu,
    keras.activations.softplus,
    keras.activations.softsign,
    keras.activations.tanh,
}

Function = Callable[[Any], Any]


class AffinePieces:
    """The way from behind an affine start to the logits: affine maps and activations.

    Between two points of such a network the slope of each activation's *secant*, in
    place of its derivative at a point, gives a linear map that takes the difference of
    the points to exactly the difference of the logits (the rescale rule of DeepLIFT,
    Shrikumar et al. 2017). Max-pools, products of features and the like are neither:
    a network with one of them is not `known`.

    Args:
        start: Of the explainer's decoder.
        teacher: With logits that follow from its last target.

    Attributes:
        known: Whether the network can be taken apart.
        functions: Its activations, in the order in which they are called.
    """

    def __init__(self, start: AffineStart, teacher: Teacher) -> None:
        self._start, self._teacher = start, teacher
        self.functions: list[Function] = []
        self.known = start.graph is not None
        if not self.known:
            return
        steps, last = teacher.logits_steps()
        for step in [*start.steps_after(), *steps]:
            taken = _taken_apart(step)
            if taken is not None:
                self.functions.append(taken[1])
            elif not is_affine(step):
                self.known = False
        if last is not None and not is_affine(last, activation=False):
            self.known = False

    def preactivations(self, features: Any) -> list[Any]:
        """What goes into the activations, float32, in the order of `functions`."""
        found: list[Any] = []

        def record(function: Function, value: Any) -> Any:
            found.append(ops.cast(value, "float32"))
            return function(value)

        self._logits(features, record)
        return found

    def linear(self, features: Any, slopes: Iterable[Any]) -> Any:
        """The logits with a multiplication by a slope in place of each activation."""
        each = iter(slopes)
        return self._logits(
            features, lambda _, value: value * ops.cast(next(each), value.dtype)
        )

    def secants(self, low: Iterable[Any], high: Iterable[Any]) -> list[Any]:
        """The slopes of the activations' secants between two points' preactivations."""
        slopes = []
        for function, one, other in zip(self.functions, low, high, strict=True):
            middle = 0.5 * (one + other)
            half = ops.maximum(0.5 * ops.abs(other - one), NARROW)
            slopes.append(
                (function(middle + half) - function(middle - half)) / (2 * half)
            )
        return slopes

    def _logits(self, features: Any, activate: Callable[[Function, Any], Any]) -> Any:
        def call(step: Step, values: Mapping[int, Any]) -> Any:
            taken = _taken_apart(step)
            if taken is None:
                return call_step(step, values)
            linear, function = taken
            if linear is None:
                return activate(function, values[step.inputs[0]])
            return activate(function, call_step(step, values, linear))

        return self._teacher.logits_by(self._start.after(features, call), call)


def _taken_apart(step: Step) -> tuple[Any, Function] | None:
    """A layer without its activation, None if there is no more to it, and that."""
    layer = step.operation
    if isinstance(layer, _PURE):
        # Not the layer itself: it would cast to its own precision.
        return None, layer.call
    if activation_of(layer) in (None, "linear"):
        return None
    function: Any = getattr(layer, "activation", None)
    if function not in _ELEMENTWISE:
        return None
    if isinstance(layer, keras.layers.Activation):
        return None, function
    return (
        (without_activation(layer), function)
        if is_affine(step, activation=False)
        else None
    )
