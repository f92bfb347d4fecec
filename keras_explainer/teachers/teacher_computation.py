"""What a teacher computes, as functions of tensors and of arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import ConfigError
from keras_explainer.teachers import image_checks
from keras_explainer.teachers.classifier_head import ClassifierHead
from keras_explainer.teachers.frozen_layer import FrozenLayer, call_frozen
from keras_explainer.teachers.frozen_model import FrozenModel
from keras_explainer.teachers.graph_cut import GraphCut
from keras_explainer.teachers.graph_step import variables_of
from keras_explainer.teachers.preprocessing import Preprocessing

# The tap among the results of `extract`; no path holds a space.
TAP = "the tap"


class TeacherComputation:
    """The functions of a cut teacher: preprocess, lower, upper, head, and the whole.

    Args:
        cut: The teacher's graph with tap and targets.
        classifier: Its answer.
        preprocessing: What comes before it.
        input_shape: (H, W, C).
    """

    def __init__(
        self,
        cut: GraphCut,
        classifier: ClassifierHead,
        preprocessing: Preprocessing,
        input_shape: tuple[int, int, int],
    ) -> None:
        self.cut = cut
        self.graph = cut.graph
        self.classifier = classifier
        self.preprocessing = preprocessing
        self.input_shape = input_shape
        self.expects_255 = preprocessing.expects_255 or (
            preprocessing.mode == "identity" and self._rescales()
        )
        self._layers: dict[str, FrozenLayer] = {}
        self._models: dict[str, FrozenModel] = {}

    # Tensors

    def on_tensors(self, name: str, inputs: Any) -> Any:
        """Runs 'preprocess', 'lower', 'upper' or 'head' on a tensor."""
        if name not in self._layers:
            self._layers[name] = self._make_layer(name)
        return call_frozen(self._layers[name], inputs)

    def _make_layer(self, name: str) -> FrozenLayer:
        cut, graph = self.cut, self.graph
        functions: dict[str, tuple[Callable[[Any], Any], int, list[int]]] = {
            "preprocess": (self.preprocessing, graph.input, []),
            "lower": (self._lower, graph.input, [cut.tap]),
            "upper": (self._upper, cut.tap, list(cut.targets)),
            "head": (self._head, cut.targets[-1], [cut.output]),
        }
        function, begin, ends = functions[name]
        # Only the variables that are read: on JAX they become part of the program.
        steps = graph.needed([begin], ends)
        variables = variables_of(step.operation for step in steps)
        if begin == graph.input:
            variables += variables_of([self.preprocessing.layer])
        return FrozenLayer(function, lambda: variables, name=f"teacher_{name}")

    # Arrays

    def on_arrays(
        self, name: str, images: Any, batch_size: int
    ) -> dict[str, np.ndarray] | None:
        """Runs 'extract' or 'classify' on images in batches; None for no images.

        Raises:
            DataError: Images that would give silently wrong features.
            ConfigError: A batch size below 1.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size is at least 1, got {batch_size}.")
        images = _as_array(images)
        self.check_images(images, allow_empty=True)
        if len(images) == 0:
            return None
        if name not in self._models:
            function = {"extract": self._features, "classify": self._whole}[name]
            self._models[name] = FrozenModel(function, self._variables, name=name)
        return self._models[name].run(images, batch_size)

    def check_images(self, images: Any, *, allow_empty: bool = False) -> None:
        """As `Teacher.check_images`."""
        image_checks.check_images(
            _as_array(images),
            self.input_shape,
            expects_255=self.expects_255,
            allow_empty=allow_empty,
        )

    def _variables(self) -> list[Any]:
        return self.graph.variables + variables_of([self.preprocessing.layer])

    # The functions themselves

    def _lower(self, images: Any) -> Any:
        given = {self.graph.input: self.preprocessing(images)}
        tap = self.graph.run(given, [self.cut.tap])[self.cut.tap]
        return keras.ops.cast(tap, "float32")

    def _upper(self, tap: Any) -> dict[str, Any]:
        cut = self.cut
        values = self.graph.run({cut.tap: tap}, cut.targets)
        return {
            path: keras.ops.cast(values[value], "float32")
            for path, value in zip(cut.target_names, cut.targets, strict=True)
        }

    def _head(self, target: Any) -> dict[str, Any]:
        return self.classifier.compute({self.cut.targets[-1]: target})

    def _features(self, images: Any) -> dict[str, Any]:
        tap = self._lower(images)
        return {TAP: tap, **self._upper(tap)}

    def _whole(self, images: Any) -> dict[str, Any]:
        return self.classifier.compute({self.graph.input: self.preprocessing(images)})

    def _rescales(self) -> bool:
        """Whether the model's first layers scale 0..255 down by themselves."""
        for step in self.graph.steps:
            if self.graph.input not in step.inputs:
                continue
            layer = step.operation
            if getattr(layer, "expects_255", False):
                return True
            if isinstance(layer, keras.layers.Rescaling):
                return bool(np.all(np.abs(np.asarray(layer.scale)) < 0.1))
            if isinstance(layer, keras.layers.Normalization):
                variance = getattr(layer, "variance", None)
                return variance is not None and bool(
                    np.all(keras.ops.convert_to_numpy(variance) > 16.0)
                )
        return False


def _as_array(images: Any) -> Any:
    """Backend tensors as NumPy arrays; all else as it is."""
    return keras.ops.convert_to_numpy(images) if keras.ops.is_tensor(images) else images
