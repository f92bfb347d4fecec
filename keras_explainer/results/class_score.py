"""`ClassScore`: one class of the teacher's answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.plain_text import decimal
from keras_explainer.results.reading import number, optional, reading, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """A class and its score.

    Attributes:
        class_index: Of the answer, from 0; 0 where the answer is one number.
        label: Name of the class, None where the teacher has no labels.
        score: The teacher's output: a probability after softmax or sigmoid, else the
            number that the teacher gives.
        logit: Input of the teacher's last activation, None where it has none.
    """

    class_index: int
    label: str | None
    score: float
    logit: float | None = None

    @property
    def title(self) -> str:
        """The label, or 'class 7' without labels."""
        return f"class {self.class_index}" if self.label is None else self.label

    def __str__(self) -> str:
        return f"{self.title} {decimal(self.score, 3)}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ClassScore:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("class score"):
            return cls(
                class_index=whole(data["class_index"]),
                label=optional(data["label"], text),
                score=number(data["score"]),
                logit=optional(data.get("logit"), number),
            )
