"""Grouped part conv-layer: filters that share a place and read what is there."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer.errors import ConfigError
from keras_explainer.layers.part_mask import PartMask
from keras_explainer.registration import registered


@registered
class GroupedPartConv2D(keras.layers.Layer):
    """An interpretable conv-layer whose filters come in groups, one place each.

    A place says where a part is: the masked map of a filter of the layer before, its
    detection. The filters of its group add to that what they read of the tap's
    features, each along a direction of its own:

        maps_kg = ReLU(reading_kg(x)) + detection_k

    The part mask lies around the detection's strongest cell, one for the group, and
    keeps what each of its filters reads there: `G` numbers a cell instead of one, so
    that parts can carry the teacher's answer. Of a place without any detection nothing
    is kept. Where detections are much higher than readings, the filters' own peaks are
    there too. (Ours; arXiv 1805.07468 has one filter to a part.)

    Args:
        places: groups `K`.
        group_size: filters `G` of a group; the layer has `F = K · G`, group by group.
        beta: slope of the part template, for pictures and boxes of the part's area.
        mask_beta, mask_flat: of the part mask, see `PartMask`.
        kernel_initializer: as in `keras.layers.Conv2D`.

    Input: a pair, detections `(N, H, W, K)`, at least 0, and the tap's features
    `(N, H, W, C)`. Output: masked maps `(N, H, W, F)`, values ≥ 0; `activation(pair)`
    gives the maps before the mask.
    """

    def __init__(
        self,
        places: int,
        group_size: int,
        beta: float = 4.0,
        mask_beta: float = 4.0,
        mask_flat: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if places < 1 or group_size < 1:
            raise ConfigError(
                "places and group_size must be at least 1, got "
                f"{places} and {group_size}."
            )
        self.places = int(places)
        self.group_size = int(group_size)
        self.beta = float(beta)
        self.readings = keras.layers.Conv2D(
            self.filters,
            1,
            activation="relu",
            data_format="channels_last",
            kernel_initializer=kernel_initializer,
            dtype=self.dtype_policy,
            name="readings",
        )
        self.part_mask = PartMask(
            mask_beta, flat=mask_flat, name="part_mask", dtype=self.dtype_policy
        )

    @property
    def filters(self) -> int:
        """Number of filters, `places · group_size`."""
        return self.places * self.group_size

    def build(self, input_shape: Any) -> None:
        detections, features = input_shape
        if detections[-1] != self.places:
            raise ConfigError(
                f"{self.places} places need as many detections, got {detections[-1]}."
            )
        self.readings.build(features)
        self.part_mask.build(detections)

    def activation(self, inputs: Any) -> Any:
        """Maps `(N, H, W, F)` before the mask."""
        detections, features = inputs
        maps = self._by_place(self.readings(features)) + detections[..., None]
        return self._by_filter(maps)

    def masked(self, maps: Any, detections: Any) -> Any:
        """What of the maps before the mask lies around the places, `(N, H, W, F)`."""
        detections = ops.stop_gradient(detections)
        found = ops.any(detections > 0, axis=(1, 2), keepdims=True)
        mask = self.part_mask.mask(detections) * ops.cast(found, maps.dtype)
        return self._by_filter(self._by_place(maps) * mask[..., None])

    def call(self, inputs: Any) -> Any:
        return self.masked(self.activation(inputs), inputs[0])

    def _by_place(self, maps: Any) -> Any:
        shape = (-1, *maps.shape[1:3], self.places, self.group_size)
        return ops.reshape(maps, shape)

    def _by_filter(self, maps: Any) -> Any:
        return ops.reshape(maps, (-1, *maps.shape[1:3], self.filters))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*tuple(input_shape[1])[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "places": self.places,
            "group_size": self.group_size,
            "beta": self.beta,
            "mask_beta": self.part_mask.beta,
            "mask_flat": self.part_mask.flat,
            "kernel_initializer": self.readings.get_config()["kernel_initializer"],
        }
