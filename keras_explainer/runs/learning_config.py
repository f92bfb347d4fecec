"""How a run learns."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.datasets.feature_store import DTYPES
from keras_explainer.errors import ConfigError
from keras_explainer.runs.config_reading import check_instance


@dataclass(frozen=True)
class LearningConfig:
    """Arguments of `Explainer.fit`, and when to stop early.

    Args:
        epochs: passes over the images, at least 1; None for the recipe's.
        batch_size: images in a step, at least 2; None for the recipe's.
        cache_dir: folder for the teacher's features; None keeps them in memory.
        cache_dtype: "float32" or "float16".
        validation_share: share of the train images that is not learned from but
            measured after each epoch, in [0, 1).
        patience: epochs without a better `monitor` after which learning stops, at the
            weights of the best epoch; None never stops early.
        monitor: a figure of the log, with `val_` before it for the validation images;
            none of them uses a label. None for the loss, of the validation images
            where there are some.

    Raises:
        ConfigError: values that are not accepted.
    """

    epochs: int | None = None
    batch_size: int | None = None
    cache_dir: str | None = None
    cache_dtype: str = "float32"
    validation_share: float = 0.0
    patience: int | None = None
    monitor: str | None = None

    def __post_init__(self) -> None:
        check_instance(self, "learning")
        for name, least in (("epochs", 1), ("batch_size", 2), ("patience", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(
                    f"learning.{name} must be at least {least}, got {value}."
                )
        if self.cache_dtype not in DTYPES:
            raise ConfigError(
                f"learning.cache_dtype must be one of {', '.join(DTYPES)}, got "
                f"{self.cache_dtype!r}."
            )
        if not 0 <= self.validation_share < 1:
            raise ConfigError(
                "learning.validation_share must be in [0, 1), got "
                f"{self.validation_share}."
            )
        if self.monitor is not None and self.patience is None:
            raise ConfigError(
                f"learning.monitor {self.monitor!r} does nothing without patience."
            )
        if (self.monitor or "").startswith("val_") and not self.validation_share:
            raise ConfigError(
                f"learning.monitor {self.monitor!r} needs a validation_share above 0."
            )

    @property
    def monitored(self) -> str:
        """The figure that `patience` looks at."""
        if self.monitor is not None:
            return self.monitor
        return "val_loss" if self.validation_share else "loss"
