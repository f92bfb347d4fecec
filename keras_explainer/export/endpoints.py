"""`Endpoints`: everything that a served explainer answers, as TensorFlow functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_explainer.explanation.class_choice import no_answer
from keras_explainer.export.image_input import ImageInput
from keras_explainer.export.part_table import PartTable

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.results import PartNames

CLASSES = 5
"""Classes that `classify` gives an image."""
CLASSIFY_METHOD = "tensorflow/serving/classify"


class Endpoints:
    """The functions of an explainer with its teacher, traced once.

    Args:
        explainer: With a teacher of layers.
        part_count: See `PartTable`.
        names: Of the filters, or None.

    Attributes:
        signatures: {name: concrete function}.
    """

    def __init__(
        self, explainer: Explainer, part_count: int, names: PartNames | None
    ) -> None:
        self.explainer = explainer
        self.teacher = teacher = explainer.teacher
        self.answers = no_answer(teacher) is None
        self.parts = PartTable(explainer, part_count, names)
        self.input = ImageInput(teacher.input_shape, teacher.expects_255)
        channels = teacher.input_shape[2]
        images = tf.TensorSpec((None, None, None, channels), "float32", "images")
        encoded = tf.TensorSpec((None,), "string", "images_bytes")
        # Functions of their own, so that the file has each network's graph once.
        self._lower, self._upper = (
            tf.function(function, [tf.TensorSpec((None, *shape), "float32")])
            for function, shape in (
                (teacher.lower, teacher.input_shape),
                (self._last_target, teacher.tap_shape),
            )
        )
        self._explain_resized = tf.function(
            self._explain,
            [tf.TensorSpec((None, *teacher.input_shape), "float32")],
        )

        def traced(function: Any, spec: Any) -> Any:
            return tf.function(function, [spec]).get_concrete_function()

        explain = traced(self.explain, images)
        self.signatures = {
            "serving_default": explain,
            "explain": explain,
            "part_maps": traced(self.part_maps, images),
            "reconstruct": traced(self.reconstruct, images),
        }
        if self.input.can_decode:
            self.signatures["explain_jpeg"] = traced(self.explain_jpeg, encoded)
            if self.answers and teacher.labels is not None:
                examples = tf.TensorSpec((None,), "string", "inputs")
                self.signatures["classify"] = traced(self.classify, examples)

    def save(self, folder: Path) -> None:
        """Writes a SavedModel."""
        program = tf.Module()
        # What the functions read, each once, and nothing else: tracking the models
        # would write their weights a second time.
        variables = {
            id(variable): variable
            for function in self.signatures.values()
            for variable in function.graph.variables
        }
        program.weights = list(variables.values())
        tf.saved_model.save(program, str(folder), signatures=self.signatures)
        if "classify" in self.signatures:
            updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(
                str(folder)
            )
            updater.replace_method_name("classify", CLASSIFY_METHOD)
            updater.save()

    # The endpoints

    def explain(self, images: Any) -> dict[str, Any]:
        """Scores, parts and `p` of images (n, h, w, C), RGB 0..255."""
        return self._explain_resized(self.input.resized(images))

    def explain_jpeg(self, images_bytes: Any) -> dict[str, Any]:
        """The same of encoded images (n,)."""
        return self._explain_resized(self.input.decoded(images_bytes))

    def part_maps(self, images: Any) -> dict[str, Any]:
        """The masked maps of all filters, (n, H, W, F)."""
        tap = self._lower(self.input.resized(images))
        found = self.explainer.encoder(tap, training=False)
        return {"part_maps": tf.cast(found["part_maps"], "float32")}

    def reconstruct(self, images: Any) -> dict[str, Any]:
        """The reconstruction of each target, by its path."""
        tap = self._lower(self.input.resized(images))
        found = self.explainer(tap, training=False)["reconstructions"]
        return {name: tf.cast(value, "float32") for name, value in found.items()}

    def classify(self, inputs: Any) -> dict[str, Any]:
        """The teacher's highest classes, of serialised `tf.Example`s with `image`."""
        feature = {"image": tf.io.FixedLenFeature((), "string")}
        encoded = tf.io.parse_example(inputs, feature)["image"]
        tap = self._lower(self.input.decoded(encoded))
        scores = self._answer(self._upper(tap))["scores"]
        labels = [str(label) for label in self.teacher.labels or ()]
        highest, classes = tf.math.top_k(scores, min(CLASSES, len(labels)))
        return {"classes": tf.gather(tf.constant(labels), classes), "scores": highest}

    # Their parts

    def _explain(self, images: Any) -> dict[str, Any]:
        teacher = self.teacher
        tap = self._lower(images)
        found = self.explainer(tap, training=False)
        parts = self.parts(tf.cast(found["maps"], "float32"))
        share = tf.cast(self.explainer.encoder.gate.share, "float32")
        result = {**parts, "p": tf.fill(tf.shape(images)[:1], share)}
        if self.answers:
            last = teacher.targets[-1]
            again = tf.cast(found["reconstructions"][last], "float32")
            result |= self._answer(self._upper(tap))
            result |= {
                f"reconstruction_{name}": value
                for name, value in self._answer(again).items()
            }
        return result

    def _last_target(self, tap: Any) -> Any:
        return self.teacher.upper(tap)[self.teacher.targets[-1]]

    def _answer(self, target: Any) -> dict[str, Any]:
        """`scores` and, if there are any, `logits`, each (n, classes)."""
        found = self.teacher.head(target)
        flat = (-1, self.teacher.num_outputs)
        result = {"scores": tf.reshape(found["outputs"], flat)}
        if found["logits"] is not None:
            result["logits"] = tf.reshape(found["logits"], flat)
        return result
