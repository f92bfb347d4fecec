"""What an explanation reads of the explainer and the teacher's head, compiled."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import ops

from keras_explainer.explanation.answers import Answers
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.frozen_model import FrozenModel

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer

_READOUTS: weakref.WeakKeyDictionary[Explainer, Readout] = weakref.WeakKeyDictionary()


class Readout:
    """Maps and answers of batches of features, by programs that are compiled once.

    `Readout.of` keeps it for as long as the explainer lives. The programs read the
    weights anew at each call, so learning may go on in between.

    Args:
        explainer: With its teacher.
    """

    def __init__(self, explainer: Explainer) -> None:
        # Weakly, so that what is kept for an explainer does not keep it alive.
        self._reference = weakref.ref(explainer)
        self._tap = FrozenModel(self._of_tap, self._variables, name="read_tap")
        self._target = FrozenModel(
            self._of_target, self._teacher_variables, name="read_target"
        )

    @classmethod
    def of(cls, explainer: Explainer) -> Readout:
        """The readout of an explainer, the same at each call."""
        if explainer not in _READOUTS:
            _READOUTS[explainer] = cls(explainer)
        return _READOUTS[explainer]

    def read(
        self, tap: np.ndarray, targets: dict[str, np.ndarray], batch_size: int
    ) -> tuple[dict[str, np.ndarray], Answers | None, Answers | None]:
        """Everything that is read of a batch.

        Args:
            tap: `(n, H, W, C)` features, n up to `batch_size`.
            targets: `{target: features}`.
            batch_size: Of the compiled programs; smaller batches are filled up.

        Returns:
            `maps` of the parts before the mask and, if it keeps several peaks,
            `masks`, both `(n, H, W, P)` float32, and the normalised tracks
            `interpretable` and `ordinary`; the teacher's answers; those to the
            reconstruction.
        """
        found, again = self.of_tap(tap, batch_size)
        return found, self.of_targets(targets, batch_size), again

    def of_tap(
        self, tap: np.ndarray, batch_size: int
    ) -> tuple[dict[str, np.ndarray], Answers | None]:
        """What `read` gives of the explainer: maps and tracks, answers."""
        found = self._tap.run(tap, batch_size)
        return found, Answers.of(found, self._explainer.teacher.labels)

    def of_targets(
        self, targets: dict[str, np.ndarray], batch_size: int
    ) -> Answers | None:
        """What `read` gives of the teacher: its answers to these features."""
        teacher = self._explainer.teacher
        if not teacher.has_head:
            return None
        found = self._target.run(targets[teacher.targets[-1]], batch_size)
        return Answers.of(found, teacher.labels)

    @property
    def _explainer(self) -> Explainer:
        explainer = self._reference()
        if explainer is None:
            raise ReferenceError("The explainer of this readout is gone.")
        return explainer

    def _of_tap(self, tap: Any) -> dict[str, Any]:
        explainer = self._explainer
        outputs = explainer(tap, training=False)
        found = {name: outputs[name] for name in ("interpretable", "ordinary")}
        found["maps"] = explainer.encoder.maps_by_part(outputs["maps"])
        mask = explainer.encoder.conv_2.part_mask
        if mask.peaks > 1:
            found["masks"] = mask.mask(outputs["maps"])
        last = explainer.teacher.targets[-1]
        target = ops.cast(outputs["reconstructions"][last], "float32")
        found |= _answer(explainer.teacher, target)
        return {name: ops.cast(value, "float32") for name, value in found.items()}

    def _of_target(self, target: Any) -> dict[str, Any]:
        return _answer(self._explainer.teacher, target)

    def _variables(self) -> list[Any]:
        layers = self._explainer.encoder, self._explainer.decoder
        own = [variable for layer in layers for variable in layer.variables]
        return own + self._teacher_variables()

    def _teacher_variables(self) -> list[Any]:
        return list(self._explainer.teacher.graph.variables)


def _answer(teacher: Teacher, target: Any) -> dict[str, Any]:
    """`outputs` and `logits` of the teacher's head, as far as there are any."""
    if not teacher.has_head:
        return {}
    answer = teacher.head(target)
    return {name: value for name, value in answer.items() if value is not None}
