"""`Contributions`: how a class' logit is shared out in one image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from keras_explainer.results.reading import number, reading, text, whole

METHODS = ("integrated_gradients", "ablation", "shapley")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """How the logit of the explained class is shared out, as a whole.

    The contribution of each filter is with its `PartFinding`.

    Attributes:
        method: "integrated_gradients", "ablation" or "shapley".
        filters: Sum of the contributions of all filters, also of those whose part is
            absent or that were not kept.
        ordinary: Contribution of the ordinary track.
        baseline: The logit where both normalised tracks are at their train mean.
        change: The logit of the reconstruction minus `baseline`: what is shared out.
        steps: Points of the path, or passes of the decoder, that it took.
    """

    method: str
    filters: float
    ordinary: float
    baseline: float
    change: float
    steps: int

    @property
    def completeness_error(self) -> float:
        """The contributions' sum minus `change`: 0 for exact integrated gradients."""
        return self.filters + self.ordinary - self.change

    @property
    def relative_error(self) -> float | None:
        """`|completeness_error| / |change|`, None where the logit does not change."""
        if not self.change:
            return None
        return abs(self.completeness_error) / abs(self.change)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; the two errors too, which `from_dict` computes anew."""
        return {
            **asdict(self),
            "completeness_error": self.completeness_error,
            "relative_error": self.relative_error,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Contributions:
        """Of `to_dict`.

        Raises:
            DataError: It is something else.
        """
        with reading("set of contributions"):
            return cls(
                method=text(data["method"]),
                filters=number(data["filters"]),
                ordinary=number(data["ordinary"]),
                baseline=number(data["baseline"]),
                change=number(data["change"]),
                steps=whole(data["steps"]),
            )
