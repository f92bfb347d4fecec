"""Which images a run learns from and is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.errors import ConfigError
from keras_explainer.runs.config_reading import check_instance

ON_BAD = ("skip", "raise")


@dataclass(frozen=True)
class DataConfig:
    """A folder of images and how it is split (see `ImageFolder`).

    Args:
        directory: the folder; kept as an absolute path in a run.
        category: `name`, `wnid` or sub-folder; None for all images.
        parts_csv: the part table; None for `directory/parts.csv` if there is one.
        test_share: share of the images held out where no `split` column says, in
            [0, 1).
        split_seed: of that choice; not the run's seed, so that runs with other seeds
            are measured on the same images.
        on_bad: "skip" files that cannot be used, with a list, or "raise".

    Raises:
        ConfigError: values that are not accepted.
    """

    directory: str
    category: str | None = None
    parts_csv: str | None = None
    test_share: float = 0.2
    split_seed: int = 0
    on_bad: str = "skip"

    def __post_init__(self) -> None:
        check_instance(self, "data")
        if not 0 <= self.test_share < 1:
            raise ConfigError(
                f"data.test_share must be in [0, 1), got {self.test_share}."
            )
        if self.on_bad not in ON_BAD:
            raise ConfigError(
                f"data.on_bad must be one of {', '.join(ON_BAD)}, got {self.on_bad!r}."
            )
