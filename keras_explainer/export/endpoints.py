"""`Endpoints`: everything that a served explainer answers, as TensorFlow functions."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_explainer.explanation.class_choice import no_answer, no_contributions
from keras_explainer.explanation.path_gradients import TRACKS
from keras_explainer.export.contribution_table import ContributionTable
from keras_explainer.export.description import description
from keras_explainer.export.image_input import ImageInput
from keras_explainer.export.part_table import PartTable
from keras_explainer.export.row_status import by_row
from keras_explainer.files import write_text

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
        self.names = names
        self.teacher = teacher = explainer.teacher
        self.answers = no_answer(teacher) is None
        self.parts = PartTable(explainer, part_count, names)
        self.description = description(explainer, self.parts.count, names)
        self.input = ImageInput(teacher.input_shape, teacher.expects_255)
        self.contributions: ContributionTable | None = None
        if no_contributions(explainer) is None:
            self.contributions = ContributionTable(explainer)
        resized = tf.TensorSpec((None, *teacher.input_shape), "float32")
        classes = tf.TensorSpec((None,), "int32", "class_index")
        tap = tf.TensorSpec((None, *teacher.tap_shape), "float32")
        # Functions of their own, so that the file has each network's graph once.
        self._lower, self._upper = (
            _graph(teacher.lower, resized),
            _graph(self._last_target, tap),
        )
        self._outputs = _graph(self._explainer_outputs, tap)
        target = (None, *teacher.target_shapes[teacher.targets[-1]])
        self._answer = _graph(self._head, tf.TensorSpec(target, "float32"))
        status = tf.TensorSpec((None,), "string")
        self._explained = _graph(partial(by_row, self._explain), status, resized)
        self._shared_out = _graph(
            partial(by_row, self._contribute), status, resized, classes
        )
        self._decoded = _graph(self.input.decoded, tf.TensorSpec((None,), "string"))
        self._resized = _graph(self.input.resized, self._images(None))
        self.signatures = self._traced(classes)

    def _traced(self, classes: Any) -> dict[str, Any]:
        images = self._images("images")
        encoded = tf.TensorSpec((None,), "string", "images_bytes")

        def traced(function: Any, *specs: Any) -> Any:
            return _graph(function, *specs).get_concrete_function()

        explain = traced(self.explain, images)
        found = {
            "serving_default": explain,
            "explain": explain,
            "part_maps": traced(self.part_maps, images),
            "reconstruct": traced(self.reconstruct, images),
            "describe": traced(
                self.describe, tf.TensorSpec((None,), "string", "requests")
            ),
        }
        if self.contributions is not None:
            found["explain_contributions"] = traced(
                self.explain_contributions, images, classes
            )
        if not self.input.can_decode:
            return found
        found["explain_jpeg"] = traced(self.explain_jpeg, encoded)
        if self.contributions is not None:
            found["explain_contributions_jpeg"] = traced(
                self.explain_contributions_jpeg, encoded, classes
            )
        if self.answers and self.teacher.labels is not None:
            examples = tf.TensorSpec((None,), "string", "inputs")
            found["classify"] = traced(self.classify, examples)
        return found

    def _images(self, name: str | None) -> Any:
        channels = self.teacher.input_shape[2]
        return tf.TensorSpec((None, None, None, channels), "float32", name)

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
        with tempfile.TemporaryDirectory() as place:
            program.texts = [
                tf.saved_model.Asset(str(path)) for path in self._texts(Path(place))
            ]
            tf.saved_model.save(program, str(folder), signatures=self.signatures)
        if "classify" in self.signatures:
            updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(
                str(folder)
            )
            updater.replace_method_name("classify", CLASSIFY_METHOD)
            updater.save()

    def _texts(self, folder: Path) -> list[Path]:
        """Files that go with the program: labels, a line each, and part names."""
        found = []
        if self.teacher.labels is not None:
            labels = [" ".join(str(label).split()) for label in self.teacher.labels]
            found.append(folder / "labels.txt")
            write_text(found[-1], "\n".join([*labels, ""]))
        if self.names is not None:
            found.append(folder / "part_names.json")
            self.names.save_json(found[-1])
        return found

    # The endpoints

    def explain(self, images: Any) -> dict[str, Any]:
        """Scores, parts and `p` of images (n, h, w, C), RGB 0..255."""
        images, status = self._resized(images)
        return self._explained(status, images)

    def explain_jpeg(self, images_bytes: Any) -> dict[str, Any]:
        """The same of encoded images (n,)."""
        images, status = self._decoded(images_bytes)
        return self._explained(status, images)

    def explain_contributions(self, images: Any, class_index: Any) -> dict[str, Any]:
        """`explain`, and what each part adds to the logit of a class.

        Args:
            images: (n, h, w, C).
            class_index: (n,) int32; -1 for the teacher's own class.
        """
        return self._of_class(self._resized(images), class_index)

    def explain_contributions_jpeg(
        self, images_bytes: Any, class_index: Any
    ) -> dict[str, Any]:
        """The same of encoded images (n,)."""
        return self._of_class(self._decoded(images_bytes), class_index)

    def part_maps(self, images: Any) -> dict[str, Any]:
        """The masked maps of all filters, (n, H, W, F)."""

        def maps(images: Any) -> dict[str, Any]:
            return {"part_maps": self._outputs(self._lower(images))["part_maps"]}

        return self._rows(maps, self._resized(images))

    def reconstruct(self, images: Any) -> dict[str, Any]:
        """The reconstruction of each target, by its path."""

        def targets(images: Any) -> dict[str, Any]:
            return self._outputs(self._lower(images))["reconstructions"]

        return self._rows(targets, self._resized(images))

    def classify(self, inputs: Any) -> dict[str, Any]:
        """The teacher's highest classes, of serialised `tf.Example`s with `image`."""
        feature = {"image": tf.io.FixedLenFeature((), "string")}
        encoded = tf.io.parse_example(inputs, feature)["image"]
        labels = [str(label) for label in self.teacher.labels or ()]

        def highest(images: Any) -> dict[str, Any]:
            scores = self._answer(self._upper(self._lower(images)))["scores"]
            values, classes = tf.math.top_k(scores, min(CLASSES, len(labels)))
            return {
                "classes": tf.gather(tf.constant(labels), classes),
                "scores": values,
            }

        found = self._rows(highest, self._decoded(encoded))
        # The server's Classify takes an answer of classes and scores alone.
        return {name: found[name] for name in ("classes", "scores")}

    def describe(self, requests: Any) -> dict[str, Any]:
        """The facts of the explainer as JSON, one for each request (n,)."""
        return {"description": tf.fill(tf.shape(requests), self.description)}

    # Their parts

    def _rows(self, function: Any, given: tuple[Any, Any]) -> dict[str, Any]:
        images, status = given
        return by_row(function, status, images)

    def _of_class(self, given: tuple[Any, Any], class_index: Any) -> dict[str, Any]:
        images, status = given
        classes = self.teacher.num_outputs
        as_many = tf.debugging.assert_equal(
            tf.size(class_index),
            tf.size(status),
            "class_index has one number for each image.",
        )
        with tf.control_dependencies([as_many]):
            known = (class_index >= -1) & (class_index < classes)
        unknown = tf.strings.join(
            [
                "There is no class ",
                tf.strings.as_string(class_index),
                f": class_index is 0 to {classes - 1}, or -1 for the teacher's own.",
            ]
        )
        status = tf.where(tf.equal(status, "") & ~known, unknown, status)
        return self._shared_out(status, images, tf.where(known, class_index, -1))

    def _explain(self, images: Any) -> dict[str, Any]:
        tap = self._lower(images)
        found = self._outputs(tap)
        parts = self.parts(found["maps"])
        return {**parts, **self._told(images, tap, found)}

    def _contribute(self, images: Any, class_index: Any) -> dict[str, Any]:
        table = self.contributions
        if table is None:
            raise ValueError("This explainer has no contributions.")
        tap = self._lower(images)
        found = self._outputs(tap)
        told = self._told(images, tap, found)
        own = tf.argmax(told["scores"], axis=1, output_type="int32")
        classes = tf.where(class_index < 0, own, class_index)
        shares = table.shares({name: found[name] for name in TRACKS}, classes)
        parts = self.parts(found["maps"], shares[:, :-1])
        # In double precision: the difference of two sums.
        every, kept = (
            tf.reduce_sum(tf.cast(value, "float64"), axis=1)
            for value in (shares[:, :-1], parts["part_contributions"])
        )
        return {
            **parts,
            **told,
            "class_index": classes,
            "other_parts_contribution": tf.cast(every - kept, "float32"),
            **table.totals(shares, told["reconstruction_logits"], classes),
        }

    def _told(self, images: Any, tap: Any, found: dict[str, Any]) -> dict[str, Any]:
        """`p`, and the answers to the features and to their reconstruction."""
        share = tf.cast(self.explainer.encoder.gate.share, "float32")
        result = {"p": tf.fill(tf.shape(images)[:1], share)}
        if not self.answers:
            return result
        last = self.teacher.targets[-1]
        again = found["reconstructions"][last]
        result |= self._answer(self._upper(tap))
        return result | {
            f"reconstruction_{name}": value
            for name, value in self._answer(again).items()
        }

    def _last_target(self, tap: Any) -> Any:
        return self.teacher.upper(tap)[self.teacher.targets[-1]]

    def _explainer_outputs(self, tap: Any) -> dict[str, Any]:
        """Maps, tracks and reconstructions, float32."""
        found = self.explainer(tap, training=False)
        wanted = ("maps", "part_maps", *TRACKS, "reconstructions")
        return tf.nest.map_structure(
            lambda value: tf.cast(value, "float32"),
            {name: found[name] for name in wanted},
        )

    def _head(self, target: Any) -> dict[str, Any]:
        """`scores` and, if there are any, `logits`, each (n, classes)."""
        found = self.teacher.head(target)
        flat = (-1, self.teacher.num_outputs)
        result = {"scores": tf.reshape(found["outputs"], flat)}
        if found["logits"] is not None:
            result["logits"] = tf.reshape(found["logits"], flat)
        return result


def _graph(function: Any, *specs: Any) -> Any:
    return tf.function(function, specs, autograph=False)
