"""`Endpoints`: everything that a served explainer answers, as TensorFlow functions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_explainer.export.description import description
from keras_explainer.export.image_input import ImageInput, not_finite
from keras_explainer.export.networks import Networks
from keras_explainer.export.precision import PRECISIONS, Precision
from keras_explainer.export.row_status import by_row
from keras_explainer.files import write_text

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.results import PartNames

CLASSIFY_METHOD = "tensorflow/serving/classify"


class Endpoints:
    """The functions of an explainer with its teacher, traced once.

    Args:
        explainer: With its teacher.
        part_count: See `PartTable`.
        names: Of the filters, or None.
        precision: Of the kernels that are stored.
        with_teacher: Whether images are taken; else features of the tap.

    Attributes:
        networks: `Networks`.
        signatures: {name: concrete function}.
    """

    def __init__(
        self,
        explainer: Explainer,
        part_count: int,
        names: PartNames | None,
        precision: Precision = PRECISIONS["float32"],
        with_teacher: bool = True,
    ) -> None:
        self.names = names
        self.teacher = teacher = explainer.teacher
        self.networks = networks = Networks(
            explainer, part_count, names, precision, with_teacher
        )
        self.description = description(
            explainer, networks.parts.count, names, precision.name, with_teacher
        )
        self.input = ImageInput(teacher.input_shape, teacher.expects_255)
        status = tf.TensorSpec((None,), "string")
        classes = tf.TensorSpec((None,), "int32")
        # Functions of their own, so that the file has each graph once.
        self._explain = self._by_row(networks.explain, status, networks.row)
        self._contribute = self._by_row(
            networks.contribute, status, networks.row, classes
        )
        self._decode = networks.graph(
            self.input.decoded, tf.TensorSpec((None,), "string")
        )
        self._check = networks.graph(
            self.input.resized if with_teacher else not_finite, self._input(None)
        )
        self.signatures = self._traced()

    def _by_row(self, function: Callable[..., Any], *specs: Any) -> Any:
        return self.networks.graph(partial(by_row, function), *specs)

    def _input(self, name: str | None) -> Any:
        """The specification of images of any size, or of features."""
        networks = self.networks
        if not networks.with_teacher:
            return tf.TensorSpec(networks.row.shape, "float32", name and "features")
        channels = self.teacher.input_shape[2]
        return tf.TensorSpec((None, None, None, channels), "float32", name)

    def _traced(self) -> dict[str, Any]:
        networks, images = self.networks, self._input("images")
        encoded = tf.TensorSpec((None,), "string", "images_bytes")
        classes = tf.TensorSpec((None,), "int32", "class_index")
        functions: dict[str, tuple[Any, ...]] = {
            "explain": (self.explain, images),
            "part_maps": (self.part_maps, images),
            "reconstruct": (self.reconstruct, images),
            "describe": (self.describe, tf.TensorSpec((None,), "string", "requests")),
        }
        files = networks.with_teacher and self.input.can_decode
        if files:
            functions["explain_jpeg"] = (self.explain_jpeg, encoded)
        if networks.has_contributions:
            functions["explain_contributions"] = (
                self.explain_contributions,
                images,
                classes,
            )
            if files:
                functions["explain_contributions_jpeg"] = (
                    self.explain_contributions_jpeg,
                    encoded,
                    classes,
                )
        if files and networks.has_answer and self.teacher.labels is not None:
            examples = tf.TensorSpec((None,), "string", "inputs")
            functions["classify"] = (self.classify, examples)
        found = {
            name: networks.graph(function, *specs).get_concrete_function()
            for name, (function, *specs) in functions.items()
        }
        return {"serving_default": found["explain"], **found}

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
        if not self.teacher.has_upper and self.networks.with_teacher:
            # A program of its own, which may have tables and files.
            program.teacher = self.teacher.model
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

    # The endpoints. Without the teacher `images` are features of the tap.

    def explain(self, images: Any) -> dict[str, Any]:
        """Scores, parts and `p` of images (n, h, w, C), RGB 0..255."""
        rows, status = self._check(images)
        return self._explain(status, rows)

    def explain_jpeg(self, images_bytes: Any) -> dict[str, Any]:
        """The same of encoded images (n,)."""
        rows, status = self._decode(images_bytes)
        return self._explain(status, rows)

    def explain_contributions(self, images: Any, class_index: Any) -> dict[str, Any]:
        """`explain`, and what each part adds to the logit of a class.

        Args:
            images: (n, h, w, C).
            class_index: (n,) int32; -1 for the teacher's own class.
        """
        rows, status = self._check(images)
        return self._of_class(rows, status, class_index)

    def explain_contributions_jpeg(
        self, images_bytes: Any, class_index: Any
    ) -> dict[str, Any]:
        """The same of encoded images (n,)."""
        rows, status = self._decode(images_bytes)
        return self._of_class(rows, status, class_index)

    def part_maps(self, images: Any) -> dict[str, Any]:
        """The masked maps of all filters, (n, H, W, F)."""
        rows, status = self._check(images)
        return by_row(self.networks.part_maps, status, rows)

    def reconstruct(self, images: Any) -> dict[str, Any]:
        """The reconstruction of each target, by its path."""
        rows, status = self._check(images)
        return by_row(self.networks.reconstruct, status, rows)

    def classify(self, inputs: Any) -> dict[str, Any]:
        """The teacher's highest classes, of serialised `tf.Example`s with `image`."""
        feature = {"image": tf.io.FixedLenFeature((), "string")}
        encoded = tf.io.parse_example(inputs, feature)["image"]
        rows, status = self._decode(encoded)
        found = by_row(self.networks.highest, status, rows)
        # The server's Classify takes an answer of classes and scores alone.
        return {name: found[name] for name in ("classes", "scores")}

    def describe(self, requests: Any) -> dict[str, Any]:
        """The facts of the explainer as JSON, one for each request (n,)."""
        return {"description": tf.fill(tf.shape(requests), self.description)}

    def _of_class(self, rows: Any, status: Any, class_index: Any) -> dict[str, Any]:
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
        return self._contribute(status, rows, tf.where(known, class_index, -1))
