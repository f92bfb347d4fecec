"""Part mask: keeps of each filter's map what lies around its strongest cell."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.errors import ConfigError
from keras_explainer.registration import registered


@registered
class PartMask(keras.layers.Layer):
    """Multiplies each filter's map by the part template at its own peak.

    For image and filter, with `mu` the arg-max cell of the map (first in
    row-major order on a tie), the output is `x(ij) · max(T_mu(ij) / tau, 0)`
    where `T_mu(ij) / tau = max(1 - beta · ‖(i, j) - mu‖_1 / n, -1)`. The position
    is a constant to the gradient (arXiv 1710.00935, section 3).

    Args:
        beta: slope of the template, above 0; larger is narrower. The mask reaches
            zero at `n / beta` cells from the peak. The papers use 4.
        peaks: how many peaks of a filter may be kept, 1 in the papers. With more,
            the mask is the maximum over the masks of the strongest cells, each
            looked for outside the masks before it, while something fires there.
        flat: the mask is 1 wherever the template is positive, instead of falling off.

    Input: maps `(N, H, W, F)`, of any size; `n` is `max(H, W)`.
    Output: masked maps `(N, H, W, F)`; mask values lie in [0, 1] and are 1 at the peak.
    """

    def __init__(
        self,
        beta: float = 4.0,
        peaks: int = 1,
        flat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not beta > 0:
            raise ConfigError(f"beta must be above 0, got {beta}.")
        if int(peaks) != peaks or peaks < 1:
            raise ConfigError(f"peaks must be a whole number from 1, got {peaks}.")
        self.beta = float(beta)
        self.peaks = int(peaks)
        self.flat = bool(flat)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 4 or None in tuple(input_shape)[1:]:
            raise ConfigError(
                "Part masks need maps (images, height, width, filters) of known size, "
                f"got {tuple(input_shape)}."
            )

    def mask(self, maps: Any) -> Any:
        """The mask of each map, `(N, H, W, F)` in [0, 1], without gradient."""
        maps = ops.stop_gradient(maps)
        found = self._around_peak(maps)
        for _ in range(self.peaks - 1):
            rest = maps * ops.cast(found <= 0, maps.dtype)
            # Nothing fires outside the masks so far: there is no further peak.
            fires = ops.cast(ops.any(rest > 0, axis=(1, 2), keepdims=True), maps.dtype)
            found = ops.maximum(found, fires * self._around_peak(rest))
        return found

    def _around_peak(self, maps: Any) -> Any:
        height, width = maps.shape[1], maps.shape[2]
        filters = maps.shape[3]
        cell = ops.argmax(ops.reshape(maps, (-1, height * width, filters)), axis=1)
        row = ops.cast(cell // width, maps.dtype)[:, None, None, :]
        column = ops.cast(cell % width, maps.dtype)[:, None, None, :]
        rows = ops.cast(ops.arange(height), maps.dtype)[None, :, None, None]
        columns = ops.cast(ops.arange(width), maps.dtype)[None, None, :, None]
        distance = ops.abs(rows - row) + ops.abs(columns - column)
        if self.flat:
            return ops.cast(distance < max(height, width) / self.beta, maps.dtype)
        return ops.maximum(1.0 - self.beta / max(height, width) * distance, 0.0)

    def call(self, maps: Any) -> Any:
        return maps * self.mask(maps)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta": self.beta,
            "peaks": self.peaks,
            "flat": self.flat,
        }
