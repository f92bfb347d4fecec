"""`ContributionTable`: how a logit is shared out, inside a TensorFlow graph.

The same as `explanation.integrated_gradients`, whose programs it takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from keras_explainer.explanation.path_gradients import TRACKS, PathGradients

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

ROWS = 32
"""Images whose gradients are in memory at a time."""


class ContributionTable:
    """Integrated gradients of the tracks for a batch.

    The logits at the baseline are constants, as they are when it is made.

    Args:
        explainer: One that has contributions (`class_choice.no_contributions`).
        steps: Intervals of the path; None: as many as `explain` takes.
    """

    def __init__(self, explainer: Explainer, steps: int | None = None) -> None:
        self.parts = explainer.part_count
        self.programs = PathGradients.of(explainer)
        self.baseline = tf.constant(self.programs.baseline(), "float64")
        self.bounds = self.programs.bounds(steps or self.programs.steps)

    def shares(self, tracks: dict[str, Any], classes: Any) -> Any:
        """What each part and, last, the ordinary track add: (n, P + 1) float32.

        Args:
            tracks: `interpretable` and `ordinary`, each (n, H, W, F), normalised.
            classes: (n,) int32.
        """
        count = tf.shape(classes)[0]
        pieces = tf.TensorArray(
            "float32",
            size=(count + ROWS - 1) // ROWS,
            infer_shape=False,
            element_shape=(None, self.parts + 1),
        )

        def piece(number: Any, pieces: Any) -> tuple[Any, Any]:
            rows = slice(number * ROWS, (number + 1) * ROWS)
            some = {name: tracks[name][rows] for name in TRACKS}
            found = self._piece(some, classes[rows])
            return number + 1, pieces.write(number, found)

        _, pieces = tf.while_loop(
            lambda number, _: number * ROWS < count,
            piece,
            (0, pieces),
            parallel_iterations=1,
        )
        return pieces.concat()

    def totals(self, shares: Any, logits: Any, classes: Any) -> dict[str, Any]:
        """`ordinary_contribution`, `logit_change`, `completeness_error`, each (n,).

        Args:
            shares: See `shares`.
            logits: (n, classes) of the reconstruction.
            classes: (n,) int32.
        """
        shares = tf.cast(shares, "float64")
        logit = tf.gather(tf.cast(logits, "float64"), classes, batch_dims=1)
        change = logit - tf.gather(self.baseline, classes)
        found = {
            "ordinary_contribution": shares[:, -1],
            "logit_change": change,
            "completeness_error": tf.reduce_sum(shares, axis=1) - change,
        }
        return {name: tf.cast(value, "float32") for name, value in found.items()}

    def _piece(self, tracks: dict[str, Any], classes: Any) -> Any:
        programs = self.programs
        end = programs.tensors("ends", tracks)["end"]
        bounds = tf.repeat(self.bounds[None], tf.shape(classes)[0], axis=0)
        given = {"end": end, "bounds": bounds, "class": classes}
        slope = programs.tensors("slopes", given)["slope"]
        found = programs.tensors("shares", {**tracks, "slope": slope})
        return tf.concat([found["parts"], found["ordinary"][:, None]], axis=1)
