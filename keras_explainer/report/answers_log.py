"""`AnswersLog`: where teacher and explainer answer alike, and where not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainer.explanation.read_batch import ReadBatch


@dataclass(frozen=True)
class Disagreement:
    """An image on which the explainer's answer is not the teacher's.

    Attributes:
        index: Number of the image.
        teacher, explainer: Title of the class, and its score in the one's own answer.
        teacher_score, explainer_score: See above.
    """

    index: int
    teacher: str
    teacher_score: float
    explainer: str
    explainer_score: float


class AnswersLog:
    """Compares the answers batch by batch.

    Attributes:
        images: Images whose answers were compared; 0 without a head.
        disagreements: In the images' order, `most` at most.
        count: All of them.
    """

    def __init__(self, most: int = 500) -> None:
        self.images = 0
        self.count = 0
        self.disagreements: list[Disagreement] = []
        self._most = most
        self._teacher: dict[int, int] = {}

    def update(self, batch: ReadBatch) -> None:
        """Takes a batch."""
        given, again = batch.given, batch.again
        if given is None or again is None:
            return
        self.images += len(batch)
        mine, theirs = _decisions(again.outputs), _decisions(given.outputs)
        for answer in theirs.tolist():
            self._teacher[answer] = self._teacher.get(answer, 0) + 1
        for row in np.flatnonzero(mine != theirs).tolist():
            self.count += 1
            if len(self.disagreements) < self._most:
                one = given.score(row, given.top(row))
                other = again.score(row, again.top(row))
                self.disagreements.append(
                    Disagreement(
                        index=batch.index + row,
                        teacher=one.title,
                        teacher_score=one.score,
                        explainer=other.title,
                        explainer_score=other.score,
                    )
                )

    def to_dict(self) -> dict[str, Any]:
        """Counts for the page."""
        constant = max(self._teacher.values(), default=0)
        return {
            "images": self.images,
            "count": self.count,
            "constant": constant / self.images if self.images else None,
        }


def _decisions(outputs: np.ndarray) -> np.ndarray:
    """(n,) the class of each answer; of one sigmoid whether it is above 1/2."""
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0.5).astype(int)
    return outputs.argmax(1)
