"""`Precision`: how an export keeps its weights, and how near to Keras it must be."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Precision:
    """A type of weights.

    Attributes:
        name: "float32", "float16" or "bfloat16".
        tolerance: Of continuous outputs, relative to the largest value of each.
        margin: Of decisions, see `Agreement`.
    """

    name: str
    tolerance: float
    margin: float

    @classmethod
    def named(cls, name: str) -> Precision:
        """One of the three.

        Raises:
            ConfigError: Another name.
        """
        if name not in PRECISIONS:
            raise ConfigError(
                f"precision is one of {', '.join(PRECISIONS)}, got {name!r}. "
                f"{did_you_mean(str(name), PRECISIONS)}"
            )
        return PRECISIONS[name]


PRECISIONS = {
    one.name: one
    for one in (
        Precision("float32", 1e-5, 1e-4),
        Precision("float16", 2e-2, 5e-2),
        Precision("bfloat16", 1e-1, 2e-1),
    )
}
"""float32 differs by rounding alone; of the others the weights are rounded."""
