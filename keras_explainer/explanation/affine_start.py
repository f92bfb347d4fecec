"""`AffineStart`: the beginning of a decoder that is affine, and the rest."""

from __future__ import annotations

from typing import Any

import keras

from keras_explainer.explainer.decoders import TeacherCopyDecoder
from keras_explainer.teachers.classifier_head import Call, activation_of
from keras_explainer.teachers.graph_cut import common_cuts
from keras_explainer.teachers.graph_step import Step, call_step
from keras_explainer.teachers.model_graph import ModelGraph

_AFFINE = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Dense,
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.AveragePooling2D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.BatchNormalization,
    keras.layers.Add,
    keras.layers.Concatenate,
    keras.layers.Flatten,
    keras.layers.Reshape,
    keras.layers.Dropout,
    keras.layers.Identity,
)


class AffineStart:
    """Splits a decoder where its first activation begins.

    A path that is straight in the encoding is straight up to there, so points of it can
    be had without the layers before. Known for the copy of a teacher's layers: its
    adapter, convs, paddings and normalisations (which do not learn at inference); any
    other decoder is left whole.

    Args:
        decoder: Of an explainer.
        target: The target that is wanted.
    """

    def __init__(self, decoder: keras.layers.Layer, target: str) -> None:
        self.decoder = decoder
        self.target = target
        self.graph: ModelGraph | None = None
        if isinstance(decoder, TeacherCopyDecoder):
            self.graph = ModelGraph(decoder.copy)
            # Keras flattens a dict of outputs in this order.
            targets = keras.tree.flatten({name: name for name in decoder.copy.output})
            self.end = self.graph.outputs[targets.index(target)]
            self.cut = _last_affine(self.graph, self.end)

    def before(self, encoding: Any) -> Any:
        """What the affine beginning makes of an encoding, float32."""
        if self.graph is not None:
            given = {self.graph.input: self.decoder.adapted(encoding)}
            encoding = self.graph.run(given, [self.cut])[self.cut]
        return keras.ops.cast(encoding, "float32")

    def steps_after(self) -> list[Step]:
        """The steps of `after`; none where the decoder is left whole."""
        if self.graph is None:
            return []
        return self.graph.needed([self.cut], [self.end])

    def after(self, features: Any, call: Call = call_step) -> Any:
        """The target's reconstruction, float32, of what `before` gives.

        Args:
            features: What `before` gives.
            call: Calls a step of the decoder, see `ModelGraph.run`.
        """
        if self.graph is not None:
            found = self.graph.run({self.cut: features}, [self.end], call)[self.end]
        else:
            found = self.decoder(features, training=False)[self.target]
        return keras.ops.cast(found, "float32")


def _last_affine(graph: ModelGraph, end: int) -> int:
    """The last value on every way to `end` that is affine in the input."""
    found = graph.input
    for value in common_cuts(graph, [end]):
        if not all(map(is_affine, graph.needed([graph.input], [value]))):
            break
        found = value
    return found


def is_affine(step: Step, activation: bool = True) -> bool:
    """Whether a step is affine in its inputs, with or without its own activation."""
    operation = step.operation
    if operation is None:
        return False  # a cast to another precision rounds
    if not isinstance(operation, _AFFINE):
        return False
    return not activation or activation_of(operation) in (None, "linear")
