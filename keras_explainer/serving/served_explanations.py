"""`ServedExplanations`: what a server found, and what it could not read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_explainer.results import Explanations


@dataclass(frozen=True, kw_only=True)
class ServedExplanations(Explanations):
    """Explanations that a server gave.

    Attributes:
        bad: {row: what is wrong with the image}, those that are left out; `index` of
            each explanation is the image's number among all that were sent.
        version: Of the model that answered.
    """

    bad: Mapping[int, str] = field(default_factory=dict)
    version: int | None = None
