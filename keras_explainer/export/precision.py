"""`Precision`: how an export keeps its kernels, and what rounding them may change."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Precision:
    """A type of weights.

    Attributes:
        name: "float32", "float16" or "bfloat16".
        rounding: How far the teacher's answers may be from those of weights that were
            not rounded, relative to the largest.
    """

    name: str
    rounding: float

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
        Precision("float32", 0.0),
        Precision("float16", 2e-2),
        Precision("bfloat16", 1e-1),
    )
}
