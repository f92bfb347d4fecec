"""`Teacher`: a frozen Keras model split at a tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError
from keras_explainer.teachers.classifier_head import Call, ClassifierHead
from keras_explainer.teachers.fingerprint import fingerprint
from keras_explainer.teachers.graph_cut import cut_graph, valid_taps
from keras_explainer.teachers.graph_step import Step
from keras_explainer.teachers.layer_choice import (
    check_finite,
    checked_labels,
    choose_output,
    choose_tap,
    choose_targets,
    named_tap,
)
from keras_explainer.teachers.model_graph import ModelGraph
from keras_explainer.teachers.preprocessing import Preprocessing
from keras_explainer.teachers.receptive_fields import ReceptiveFields
from keras_explainer.teachers.tap_geometry import TapGeometry
from keras_explainer.teachers.teacher_computation import TAP, TeacherComputation
from keras_explainer.teachers.teacher_source import without_folder
from keras_explainer.teachers.teacher_sources import TeacherSources
from keras_explainer.teachers.trainable_copy import Kinds, copy_between


class Teacher(TeacherSources):
    """A pre-trained CNN, frozen, split at a middle layer: the paper's performer.

    A plain object, no Keras layer, so that a model that holds it neither tracks nor
    saves it. It reads the model and never changes it: weights, `trainable` flags,
    normalisation statistics and the layers' nodes stay as they are.

    Images are (n, H, W, C), RGB 0..255, before preprocessing, everywhere. Layers are
    given by path: a layer's name, or `outer/inner` for a layer of a nested model.

    Args:
        model: A functional or Sequential Keras model, also nested, with one image
            input, channels last.
        tap: Path of the layer whose map is explained. It must cut the model: every
            way from the input to the targets goes through it. None chooses the last
            merge or activation at stride 16 that does; `{"stride": 8, "position":
            -2}` the last but one at stride 8, without a name.
        targets: Paths of the layers above the tap whose features are to be
            reconstructed. None chooses the hidden fully connected layers where there
            are some, else the last feature map.
        preprocessing: 'identity', 'unit', 'tf', 'torch', 'caffe' (see
            `Preprocessing`) or a built Keras layer.
        labels: Names of the classes, in the order of the outputs.
        name: Name of the teacher; the model's by default.
        source: How the model can be had again (`from_source`); set by
            the constructors of `TeacherSources`.
        output: Which output of a model with several is the answer that `head` and
            `classify` give: its name. By default the first that ends in a softmax or
            sigmoid; without one, the first.
        input_shape: (H, W, C) for a model that takes images of any size.

    Attributes:
        model, name, labels, source: As given.
        tap: Path of the tap.
        targets: Paths of the targets in graph order; the head sits on the last.
        input_shape, tap_shape: (H, W, C).
        target_shapes: {path: shape without the batch}.
        geometry: `TapGeometry`, from cells of the tap to pixels.
        has_head: Whether the answer follows from the last target alone.
        output: Name of the output that is the answer.
        answer_shape: Of the answer, without the batch.
        num_outputs: Size of the answer.
        logits_activation: 'softmax', 'sigmoid', 'linear', or None without logits.

    Raises:
        TeacherError: A model, tap or target that cannot be used; the message names
            those that can.
    """

    def __init__(
        self,
        model: keras.Model,
        tap: str | Mapping[str, int] | None = None,
        targets: Sequence[str] | None = None,
        *,
        preprocessing: str | keras.Layer = "identity",
        labels: Sequence[str] | None = None,
        name: str | None = None,
        source: dict[str, Any] | None = None,
        output: str | None = None,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        graph = ModelGraph(model, input_shape)
        check_finite(graph)
        self.model = model
        self.name = name or model.name
        self.source = source
        self.graph = graph
        self.input_shape = _three(graph.values[graph.input].shape)
        self.preprocessing = Preprocessing(preprocessing)
        self.preprocessing.check_channels(self.input_shape[2])

        answer = choose_output(graph, output)
        fields = ReceptiveFields(graph)
        given = named_tap(graph, tap)
        wanted = choose_targets(graph, targets, answer, given)
        at = choose_tap(graph, tap, given, list(wanted), fields)
        self._cut = cut_graph(graph, at, wanted, answer)
        self.tap = tap if isinstance(tap, str) else graph.name_of(at)
        self.targets = self._cut.target_names
        self.tap_shape = _three(graph.values[at].shape)
        self.target_shapes: dict[str, tuple[int, ...]] = {
            path: _known(graph.values[value].shape[1:])
            for path, value in zip(self.targets, self._cut.targets, strict=True)
        }
        self.geometry: TapGeometry = fields.geometry(at)

        classifier = ClassifierHead(graph, answer)
        self.logits_activation = classifier.activation
        names = dict(zip(graph.outputs, graph.output_names, strict=True))
        self.output = names[answer]
        self.answer_shape = _known(graph.values[answer].shape[1:])
        self.num_outputs = int(graph.values[answer].shape[-1] or 0)
        self.labels = checked_labels(labels, self.num_outputs)
        self.has_head = self._cut.head_output is not None and (
            self._cut.targets[-1] != answer or classifier.logits is not None
        )
        self._compute = TeacherComputation(
            self._cut, classifier, self.preprocessing, self.input_shape
        )
        self._fingerprint: str | None = None

    # Facts

    @property
    def fingerprint(self) -> str:
        """sha256 of graph, weights, preprocessing, tap and targets (64 digits).

        Computed at first use and kept; the same on every backend.
        """
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._cut, self.preprocessing)
        return self._fingerprint

    @property
    def has_upper(self) -> bool:
        """Whether the targets can be computed from the tap's features."""
        return True

    @property
    def expects_255(self) -> bool:
        """Whether images must have values 0..255; else any finite ones are taken."""
        return self._compute.expects_255

    @property
    def valid_taps(self) -> list[str]:
        """Paths of all layers that could be the tap for these targets."""
        taps = valid_taps(self.graph, self._cut.targets)
        return [self.graph.name_of(value) for value in taps]

    def card(self) -> dict[str, Any]:
        """JSON-able facts: what the teacher is and where it was cut.

        Of a file its name is told, not its folder: cards go into files that travel.
        """
        return {
            "name": self.name,
            "source": without_folder(self.source),
            "output": self.output,
            "tap": self.tap,
            "targets": list(self.targets),
            "input_shape": list(self.input_shape),
            "tap_shape": list(self.tap_shape),
            "target_shapes": {k: list(v) for k, v in self.target_shapes.items()},
            "geometry": self.geometry.to_dict(),
            "preprocessing": self.preprocessing.mode,
            "params": self._parameters(),
            "num_outputs": self.num_outputs,
            "logits_activation": self.logits_activation,
            "has_head": self.has_head,
            "fingerprint": self.fingerprint,
            "keras_version": keras.__version__,
        }

    def _parameters(self) -> int | None:
        return self.model.count_params()

    def __repr__(self) -> str:
        return (
            f"<Teacher '{self.name}': tap '{self.tap}' {self.tap_shape}, targets "
            f"{self.target_shapes}>"
        )

    # Arrays in, arrays out

    def check_images(self, images: Any) -> None:
        """Refuses images that would give silently wrong features.

        Args:
            images: (n, H, W, C), uint8 or float.

        Raises:
            DataError: No images; wrong rank, size, channels or dtype; NaN or infinite
                values; values that are not 0..255 where the preprocessing needs that.
        """
        self._compute.check_images(images)

    def extract(
        self, images: Any, *, batch_size: int = 32
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The features at the tap and at the targets, compiled and in batches.

        Args:
            images: (n, H, W, C), RGB 0..255, uint8 or float; n may be 0.
            batch_size: Images per compiled call.

        Returns:
            The tap's features (n, H, W, C), and {target: features}, float32.

        Raises:
            DataError: As for `check_images`, but for n = 0.
        """
        results = self._compute.on_arrays("extract", images, batch_size)
        if results is None:
            shapes = {TAP: self.tap_shape, **self.target_shapes}
            results = {k: np.empty((0, *v), "float32") for k, v in shapes.items()}
        return results[TAP], {path: results[path] for path in self.targets}

    def classify(
        self, images: Any, *, batch_size: int = 32
    ) -> dict[str, np.ndarray | None]:
        """The teacher's own full answer.

        Args:
            images: (n, H, W, C), RGB 0..255, uint8 or float; n may be 0.
            batch_size: Images per compiled call.

        Returns:
            `outputs`, what `model.predict` gives on preprocessed images, and
            `logits`, the input of its last activation (None without one), float32.

        Raises:
            DataError: As for `check_images`, but for n = 0.
        """
        results = self._compute.on_arrays("classify", images, batch_size)
        if results is None:
            shape = self.graph.values[self._cut.output].shape
            results = {"outputs": np.empty((0, *_known(shape[1:])), "float32")}
            if self.logits_activation is not None:
                results["logits"] = results["outputs"].copy()
        return {"logits": results.get("logits"), "outputs": results["outputs"]}

    # Tensors in, tensors out

    def preprocess(self, images: Any) -> Any:
        """What the model's first layer gets, from images (n, H, W, C), RGB 0..255."""
        return self._compute.on_tensors("preprocess", images)

    def lower(self, images: Any) -> Any:
        """The tap's features, float32, from images (n, H, W, C), RGB 0..255.

        Preprocessing is included. As `upper` and `head`: traceable, differentiable,
        always in inference mode, and without effect on the teacher.
        """
        return self._compute.on_tensors("lower", images)

    def upper(self, tap: Any) -> dict[str, Any]:
        """{target: features}, float32, from the tap's features (n, H, W, C)."""
        return self._compute.on_tensors("upper", tap)

    def head(self, target: Any) -> dict[str, Any]:
        """The teacher's answer from the features of its last target.

        Args:
            target: (n, ...) features of `targets[-1]`.

        Returns:
            `outputs`, and `logits` (None where they cannot be reached), float32.

        Raises:
            TeacherError: The answer does not follow from the last target alone.
        """
        if not self.has_head:
            raise TeacherError(
                f"Teacher '{self.name}' has no head on '{self.targets[-1]}': its "
                "answer does not follow from that layer alone, or is that layer. "
                "Check `has_head` first, or choose another last target."
            )
        results = self._compute.on_tensors("head", target)
        return {"logits": results.get("logits"), "outputs": results["outputs"]}

    def logits_steps(self) -> tuple[list[Step], Step | None]:
        """The steps from the last target to the logits.

        Returns:
            Those that are called as they are, and the one after them that is called
            without its activation, if there is one.

        Raises:
            ValueError: The teacher has no logits.
        """
        return self._compute.classifier.logits_steps(self._cut.targets[-1])

    def logits_by(self, target: Any, call: Call) -> Any:
        """The logits of `head`, float32, with another way of calling its steps.

        Args:
            target: (n, ...) features of `targets[-1]`.
            call: Calls a step with the values so far, see `ModelGraph.run`.

        Raises:
            ValueError: The teacher has no logits.
        """
        return self._compute.classifier.logits_by(self._cut.targets[-1], target, call)

    def copy_upper(
        self, trainable: bool = True, kinds: Kinds | None = None
    ) -> keras.Model:
        """A free copy of the layers between tap and targets, with the same weights.

        Args:
            trainable: Whether its weights can be trained.
            kinds: `{class: class}`: layers of the first are made as the second, which
                takes the same configuration and weights.

        Returns:
            A functional model from the tap's features to {target: features}, float32.
            Called with `training=False` it equals `upper` at the start; its batch
            normalisation, if any, learns its statistics when `training=True`.

        Raises:
            TeacherError: A layer that cannot be made from its configuration.
        """
        return copy_between(
            self._cut,
            self.tap_shape,
            trainable=trainable,
            name="teacher_copy",
            kinds=kinds,
        )


def _known(shape: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(int(size or 0) for size in shape)


def _three(shape: Sequence[int | None]) -> tuple[int, int, int]:
    height, width, channels = _known(shape[1:])
    return height, width, channels
