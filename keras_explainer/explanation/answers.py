"""`Answers`: what the teacher's head says of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from keras_explainer.results import ClassScore


@dataclass(frozen=True)
class Answers:
    """The answers of one batch.

    Attributes:
        outputs: (n, classes), or (n, 1) for an answer that is one number.
        logits: The same of the inputs of the last activation, None without one.
        labels: Of the classes, None where there are none.
    """

    outputs: np.ndarray
    logits: np.ndarray | None
    labels: Sequence[str] | None

    @classmethod
    def of(
        cls, found: Mapping[str, np.ndarray], labels: Sequence[str] | None
    ) -> Answers | None:
        """From `outputs` and `logits` of the teacher's head.

        Returns:
            None where there are no outputs, or more than a list of numbers an image.
        """
        outputs = found.get("outputs")
        if outputs is None or outputs.ndim < 2 or np.prod(outputs.shape[1:-1]) != 1:
            return None
        flat = (len(outputs), outputs.shape[-1])
        logits = found.get("logits")
        return cls(
            outputs.reshape(flat),
            None if logits is None else logits.reshape(flat),
            labels,
        )

    def top(self, row: int) -> int:
        """The class with the highest output, the first on a tie."""
        return int(self.outputs[row].argmax())

    def score(self, row: int, class_index: int) -> ClassScore:
        """A class and its score."""
        return ClassScore(
            class_index=class_index,
            label=None if self.labels is None else str(self.labels[class_index]),
            score=float(self.outputs[row, class_index]),
            logit=None if self.logits is None else float(self.logits[row, class_index]),
        )
