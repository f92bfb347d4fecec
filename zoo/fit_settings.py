"""`FitSettings`: how a teacher is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.errors import ConfigError

PARTS = ("all", "top", "head")


@dataclass(frozen=True)
class FitSettings:
    """How a teacher is fitted.

    Args:
        epochs: passes over the images, at least 1.
        batch_size: images in a step, at least 1.
        learning_rate: highest rate of a warm-up and cosine decay, above 0.
        weight_decay: of AdamW.
        train: "all" layers, those above the tap ("top"), or the last one ("head").
        seed: of start weights, order and crops.
        test_share, split_seed: see `ImageFolder`.

    Raises:
        ConfigError: values that are not accepted.
    """

    epochs: int = 5
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight_decay: float = 1e-4
    train: str = "all"
    seed: int = 0
    test_share: float = 0.2
    split_seed: int = 0

    def __post_init__(self) -> None:
        if self.train not in PARTS:
            raise ConfigError(
                f"train is one of {', '.join(PARTS)}, got {self.train!r}."
            )
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 1, got {getattr(self, name)}."
                )
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise ConfigError(
                "learning_rate must be above 0 and weight_decay at least 0, got "
                f"{self.learning_rate} and {self.weight_decay}."
            )
