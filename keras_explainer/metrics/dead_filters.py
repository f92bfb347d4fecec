"""Share of dead filters, streaming."""

from __future__ import annotations

from typing import Any, ClassVar

from keras import ops

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics.positions import DEAD_SHARE
from keras_explainer.metrics.streaming_metric import StreamingMetric
from keras_explainer.registration import registered


@registered
class DeadFilters(StreamingMetric):
    """Share of the filters that are silent on more than 99 % of the images.

    A filter is silent on an image when its map's maximum is not above 0. (The figure
    `dead_filters` of `PartMapFigures` is the count.)

    Merge rule: `silent` and `count` are sums over images; replicas merge by addition
    (the threshold is applied to the merged sums).

    Args:
        filters: number of filters C; taken from the first batch when `None`.
        share: of silent images above which a filter is dead.
        name: of the metric in logs.
        dtype: as of `keras.metrics.Metric`; sums are float32 at least.

    Raises:
        ConfigError: `filters` is not positive, or `share` not within [0, 1).
    """

    direction: ClassVar[str] = "down"

    def __init__(
        self,
        filters: int | None = None,
        share: float = DEAD_SHARE,
        name: str = "dead_filters",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if filters is not None and filters < 1:
            raise ConfigError(f"filters must be at least 1; got {filters}.")
        if not 0 <= share < 1:
            raise ConfigError(f"share must be at least 0 and below 1; got {share}.")
        self.filters = filters
        self.share = float(share)
        self.silent: Any = None
        if filters is not None:
            self._build(filters)

    def _build(self, filters: int) -> None:
        self.silent = self.add_sum("silent", (filters,))
        self.count = self.add_sum("count")

    def update_state(
        self, y_true: Any, y_pred: Any = None, sample_weight: Any = None
    ) -> None:
        """Adds a batch of maps.

        Args:
            y_true: (n, H, W, C) maps, when given alone.
            y_pred: the maps, when the metric is one of `compile`, where the maps are a
                model's output; `y_true` is then not used.
            sample_weight: (n,) weight of each image.

        Raises:
            DataError: the values are not maps, or have another number of filters.
        """
        maps = self.as_state(y_true if y_pred is None else y_pred)
        shape = tuple(maps.shape)
        if len(shape) != 4 or shape[-1] is None:
            raise DataError(
                f"{type(self).__name__} takes maps of shape (images, height, width, "
                f"filters); got {shape}."
            )
        if self.silent is None:
            self._build(shape[-1])
        if shape[-1] != self.silent.shape[0]:
            raise DataError(
                f"{type(self).__name__} counts {self.silent.shape[0]} filters; got "
                f"maps of shape {shape}."
            )
        weights = self.image_weights(sample_weight, maps)
        quiet = self.as_state(ops.all(maps <= 0, axis=(1, 2)))
        self.silent.assign(self.silent + ops.sum(weights[:, None] * quiet, axis=0))
        self.count.assign(self.count + ops.sum(weights))

    def result(self) -> Any:
        """Scalar, 0 to 1; NaN before the first image."""
        if self.silent is None:
            return ops.convert_to_tensor(float("nan"), dtype=self.state_dtype)
        dead = self.as_state(self.silent > self.share * self.count)
        return ops.where(self.count > 0, ops.mean(dead), float("nan"))

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "share": self.share,
        }
