"""Interpretable conv-layer: conv, ReLU, part mask, filter loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.layers.part_mask import PartMask
from keras_explainer.losses.filter_loss import FilterLoss
from keras_explainer.registration import registered


@registered
class InterpretableConv2D(keras.layers.Layer):
    """A conv-layer whose filters are pushed to fire on one object part each.

    `conv → ReLU → part mask`; while training, the filter loss of the ReLU output
    (before the mask) is added by `add_loss` (arXiv 1710.00935, section 3).

    Args:
        filters: number of filters `F`, one part candidate each.
        kernel_size: side(s) of the kernel, an odd number keeps cells in place.
        beta: slope of the part mask, see `PartMask`.
        peaks: peaks kept by the mask, see `PartMask`.
        filter_loss: a `FilterLoss`, or None for none.
        filter_loss_weight: what the filter loss (mean over filters) is multiplied
            by before `add_loss`; 0 adds nothing.
        use_bias: whether the convolution has a bias.
        kernel_initializer, bias_initializer: as in `keras.layers.Conv2D`.

    Input: features `(N, H, W, C)`.
    Output: masked maps `(N, H, W, F)`, values ≥ 0. `activation(x)` gives the maps
    before the mask, from which positions and all figures are read.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | tuple[int, int] = 3,
        beta: float = 4.0,
        peaks: int = 1,
        filter_loss: FilterLoss | None = None,
        filter_loss_weight: float = 0.0,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filter_loss = filter_loss
        self.filter_loss_weight = float(filter_loss_weight)
        self.conv = keras.layers.Conv2D(
            filters,
            kernel_size,
            padding="same",
            data_format="channels_last",
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            name="conv",
            dtype=self.dtype_policy,
        )
        self.part_mask = PartMask(
            beta, peaks, name="part_mask", dtype=self.dtype_policy
        )

    @property
    def filters(self) -> int:
        """Number of filters."""
        return self.conv.filters

    @property
    def beta(self) -> float:
        """Slope of the part mask."""
        return self.part_mask.beta

    def build(self, input_shape: Any) -> None:
        self.conv.build(input_shape)
        self.part_mask.build(self.conv.compute_output_shape(input_shape))

    def activation(self, features: Any) -> Any:
        """ReLU maps `(N, H, W, F)` before the mask."""
        return ops.relu(self.conv(features))

    def call(self, features: Any, training: bool | None = None) -> Any:
        maps = self.activation(features)
        if training and self.filter_loss is not None and self.filter_loss_weight:
            self.add_loss(self.filter_loss_weight * self.filter_loss(maps))
        return self.part_mask(maps)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.conv.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        conv = self.conv.get_config()
        return {
            **super().get_config(),
            "filters": self.conv.filters,
            "kernel_size": self.conv.kernel_size,
            "beta": self.part_mask.beta,
            "peaks": self.part_mask.peaks,
            "filter_loss": keras.saving.serialize_keras_object(self.filter_loss)
            if self.filter_loss is not None
            else None,
            "filter_loss_weight": self.filter_loss_weight,
            "use_bias": self.conv.use_bias,
            "kernel_initializer": conv["kernel_initializer"],
            "bias_initializer": conv["bias_initializer"],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InterpretableConv2D:
        config = dict(config)
        if isinstance(config.get("filter_loss"), dict):
            config["filter_loss"] = keras.saving.deserialize_keras_object(
                config["filter_loss"]
            )
        return cls(**config)
