"""`ReadBatch`: what was read of a batch of images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_explainer.explanation.answers import Answers
from keras_explainer.explanation.findings import Findings
from keras_explainer.explanation.integrated_gradients import Attribution


@dataclass(frozen=True, eq=False)
class ReadBatch:
    """Maps, findings, answers and contributions of n images.

    Attributes:
        index: Number of the first image, from 0.
        maps: float32 `(n, H, W, F)` before the mask.
        classes: `(n,)` index of the class that is explained, 0 without answers.
        findings: Of the maps.
        given, again: The teacher's answers, and those to the reconstruction; None
            where there are none.
        shared: Contributions to the logit of the class, None where there are none.
    """

    index: int
    maps: np.ndarray
    classes: np.ndarray
    findings: Findings
    given: Answers | None
    again: Answers | None
    shared: Attribution | None

    def __len__(self) -> int:
        return len(self.maps)
