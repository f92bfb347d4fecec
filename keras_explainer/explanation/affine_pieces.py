"""`AffinePieces`: a network of affine layers, activations and pools, taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
from keras import ops

from keras_explainer.explanation.activation_piece import ActivationPiece
from keras_explainer.explanation.affine_start import AffineStart, is_affine
from keras_explainer.explanation.max_pool_piece import MaxPoolPiece
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.classifier_head import activation_of, without_activation
from keras_explainer.teachers.graph_step import Step, call_step

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

Piece = ActivationPiece | MaxPoolPiece


class AffinePieces:
    """The way from behind an affine start to the logits: affine maps and what bends it.

    Between two points of such a network the *secant* of each activation and max-pool,
    in place of its derivative at a point, gives a linear map that takes the difference
    of the points to exactly the difference of the logits (see `ActivationPiece`,
    `MaxPoolPiece`). Products of features and the like have none: a network with one of
    them is not `known`.

    Args:
        start: Of the explainer's decoder.
        teacher: With logits that follow from its last target.

    Attributes:
        known: Whether the network can be taken apart.
        bends: Its activations and max-pools, in the order in which they are called.
    """

    def __init__(self, start: AffineStart, teacher: Teacher) -> None:
        self._start, self._teacher = start, teacher
        self.bends: list[Piece] = []
        self.known = start.graph is not None
        if not self.known:
            return
        steps, last = teacher.logits_steps()
        for step in [*start.steps_after(), *steps]:
            taken = _taken_apart(step)
            if taken is not None:
                self.bends.append(taken[1])
            elif not is_affine(step):
                self.known = False
        if last is not None and not is_affine(last, activation=False):
            self.known = False

    def inputs(self, features: Any) -> list[Any]:
        """What goes into each of `bends`, float32."""
        found: list[Any] = []

        def record(piece: Piece, value: Any) -> Any:
            found.append(ops.cast(value, "float32"))
            return piece.call(value)

        self._logits(features, record)
        return found

    def linear(self, features: Any, secants: Iterable[Any]) -> Any:
        """The logits with a secant in place of each of `bends`."""
        each = iter(secants)
        return self._logits(
            features, lambda piece, value: piece.linear(value, next(each))
        )

    def secants(self, low: Iterable[Any], high: Iterable[Any]) -> list[Any]:
        """The secants between two points' `inputs`."""
        return [
            piece.secant(one, other)
            for piece, one, other in zip(self.bends, low, high, strict=True)
        ]

    def _logits(self, features: Any, bend: Callable[[Piece, Any], Any]) -> Any:
        def call(step: Step, values: Mapping[int, Any]) -> Any:
            taken = _taken_apart(step)
            if taken is None:
                return call_step(step, values)
            linear, piece = taken
            if linear is None:
                return bend(piece, values[step.inputs[0]])
            return bend(piece, call_step(step, values, linear))

        return self._teacher.logits_by(self._start.after(features, call), call)


def _taken_apart(step: Step) -> tuple[Any, Piece] | None:
    """A layer without what bends it, None if there is no more to it, and that."""
    layer = step.operation
    if isinstance(layer, _PURE):
        # Not the layer itself: it would cast to its own precision.
        return None, ActivationPiece(layer.call)
    if isinstance(layer, keras.layers.MaxPooling2D):
        last = layer.data_format == "channels_last"
        return (None, MaxPoolPiece(layer)) if last else None
    if activation_of(layer) in (None, "linear"):
        return None
    function: Any = getattr(layer, "activation", None)
    if function not in _ELEMENTWISE:
        return None
    piece = ActivationPiece(function)
    if isinstance(layer, keras.layers.Activation):
        return None, piece
    if is_affine(step, activation=False):
        return without_activation(layer), piece
    return None
