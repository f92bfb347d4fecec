"""`Networks`: teacher and explainer as TensorFlow functions of rows that are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_explainer.explanation.class_choice import no_answer, no_contributions
from keras_explainer.explanation.path_gradients import TRACKS
from keras_explainer.export.contribution_table import ContributionTable
from keras_explainer.export.part_table import PartTable
from keras_explainer.export.precision import Precision
from keras_explainer.export.stored_weights import StoredWeights

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.results import PartNames

CLASSES = 5
"""Classes that `highest` gives an image."""


class Networks:
    """What is computed of a batch, n at least 1; all outputs have n rows.

    Args:
        explainer: With its teacher.
        part_count: See `PartTable`.
        names: Of the filters, or None.
        precision: Of the kernels that are stored.
        with_teacher: Whether rows are images of the teacher's size; else features of
            the tap.

    Attributes:
        parts: `PartTable`.
        row: `TensorSpec` of the rows.
        weights: `StoredWeights`.
        has_answer, has_contributions: Whether there are scores, contributions.
    """

    def __init__(
        self,
        explainer: Explainer,
        part_count: int,
        names: PartNames | None,
        precision: Precision,
        with_teacher: bool,
    ) -> None:
        self.explainer = explainer
        self.teacher = teacher = explainer.teacher
        self.with_teacher = with_teacher
        self.parts = PartTable(explainer, part_count, names)
        self.has_answer = no_answer(teacher) is None
        self.has_contributions = no_contributions(explainer) is None
        self.weights = StoredWeights(
            [
                *teacher.graph.variables,
                *explainer.encoder.variables,
                *explainer.decoder.variables,
            ],
            precision,
        )
        if self.has_contributions:
            # Its baseline is that of the weights as they are stored.
            with self.weights.assigned():
                self._table = ContributionTable(explainer)
        last = teacher.targets[-1]
        tap = tf.TensorSpec((None, *teacher.tap_shape), "float32")
        images = tf.TensorSpec((None, *teacher.input_shape), "float32")
        target = tf.TensorSpec((None, *teacher.target_shapes[last]), "float32")
        self.row = images if with_teacher else tap
        # Functions of their own, so that the file has each network's graph once.
        self._lower = self.graph(teacher.lower, images)
        self._upper = self.graph(lambda tap: teacher.upper(tap)[last], tap)
        self._answer = self.graph(self._head, target)
        self._outputs = self.graph(self._explainer_outputs, tap)

    def graph(self, function: Callable[..., Any], *specs: Any) -> Any:
        """A TensorFlow function that reads the stored weights."""

        def with_stored_weights(*inputs: Any) -> Any:
            with self.weights.scope():
                return function(*inputs)

        return tf.function(with_stored_weights, specs, autograph=False)

    def explain(self, rows: Any) -> dict[str, Any]:
        """Parts by relative strength, answers, `p`."""
        tap = self._tap(rows)
        found = self._outputs(tap)
        return {**self.parts(found["maps_by_part"]), **self._told(tap, found)}

    def contribute(self, rows: Any, class_index: Any) -> dict[str, Any]:
        """Parts by contribution, answers, `p`, and the sums of contributions.

        Args:
            rows: See `row`.
            class_index: (n,) int32; below 0 for the teacher's own class.
        """
        tap = self._tap(rows)
        found = self._outputs(tap)
        told = self._told(tap, found)
        own = tf.argmax(told["scores"], axis=1, output_type="int32")
        classes = tf.where(class_index < 0, own, class_index)
        shares = self._table.shares({name: found[name] for name in TRACKS}, classes)
        parts = self.parts(found["maps_by_part"], shares[:, :-1])
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
            **self._table.totals(shares, told["reconstruction_logits"], classes),
        }

    def part_maps(self, rows: Any) -> dict[str, Any]:
        """The masked maps of all filters."""
        return {"part_maps": self._outputs(self._tap(rows))["part_maps"]}

    def reconstruct(self, rows: Any) -> dict[str, Any]:
        """The reconstruction of each target, by its path."""
        return self._outputs(self._tap(rows))["reconstructions"]

    def highest(self, rows: Any) -> dict[str, Any]:
        """`classes` (labels) and `scores` of the teacher's highest classes."""
        labels = [str(label) for label in self.teacher.labels or ()]
        scores = self._answer(self._upper(self._tap(rows)))["scores"]
        values, classes = tf.math.top_k(scores, min(CLASSES, len(labels)))
        return {"classes": tf.gather(tf.constant(labels), classes), "scores": values}

    def _tap(self, rows: Any) -> Any:
        return self._lower(rows) if self.with_teacher else rows

    def _told(self, tap: Any, found: dict[str, Any]) -> dict[str, Any]:
        """`p`, and the answers to the features and to their reconstruction."""
        share = tf.cast(self.explainer.encoder.gate.share, "float32")
        result = {"p": tf.fill(tf.shape(tap)[:1], share)}
        if not self.has_answer:
            return result
        again = found["reconstructions"][self.teacher.targets[-1]]
        result |= self._answer(self._upper(tap))
        return result | {
            f"reconstruction_{name}": value
            for name, value in self._answer(again).items()
        }

    def _explainer_outputs(self, tap: Any) -> dict[str, Any]:
        """Maps by part and by filter, tracks and reconstructions, float32."""
        found = self.explainer(tap, training=False)
        wanted = ("part_maps", *TRACKS, "reconstructions")
        return tf.nest.map_structure(
            lambda value: tf.cast(value, "float32"),
            {
                "maps_by_part": self.explainer.encoder.maps_by_part(found["maps"]),
                **{name: found[name] for name in wanted},
            },
        )

    def _head(self, target: Any) -> dict[str, Any]:
        """`scores` and, if there are any, `logits`, each (n, classes)."""
        found = self.teacher.head(target)
        flat = (-1, self.teacher.num_outputs)
        result = {"scores": tf.reshape(found["outputs"], flat)}
        if found["logits"] is not None:
            result["logits"] = tf.reshape(found["logits"], flat)
        return result
