"""Encoder: the interpretable and the ordinary track, and the gate between them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_explainer import global_batch
from keras_explainer.errors import ConfigError
from keras_explainer.explainer.recipe import Recipe
from keras_explainer.layers import (
    ChannelNorm,
    GroupedPartConv2D,
    InterpretableConv2D,
    TrackGate,
)
from keras_explainer.registration import registered


@registered
class Encoder(keras.layers.Layer):
    """From the tap's features to `x_enc` (arXiv 1805.07468, figure 2).

        x ─┬─ interpretable conv 1 ─ interpretable conv 2 ─ (pool) ─ norm ─┐
           │                                                              gate ─ x_enc
           └─ ordinary conv ─ ReLU ─────────────────────── (pool) ─ norm ─┘

    With `places`, layer 1 has a filter for each, and layer 2 is a `GroupedPartConv2D`:
    groups of filters that read `x` where one filter of layer 1 is.

    Args:
        filters: `F`, in both interpretable layers and in the ordinary track.
        kernel_size, ordinary_kernel_size: sides of the kernels.
        beta, peaks: of the part masks, see `PartMask`.
        pool_size: side of a max-pool before the norms; 1 for none.
        ordinary_drop: share of the training examples for which the ordinary track's
            normalised output is replaced by its mean over the batch.
        initial_share, share_step_scale: see `TrackGate`.
        norm_momentum: see `ChannelNorm`.
        seed: of the random drop.
        places: groups of filters, each at one place; 0 for single filters.
        mask_beta, mask_flat: of the mask of layer 2 where there are places.

    Input: features `(N, H, W, C)`. Output: a dict
        `maps_1`, `maps`: ReLU maps of the two interpretable layers before the mask,
        `part_maps`: masked maps of the second, all `(N, H, W, F)` (`maps_1` has
        as many channels as there are places, if any);
        `interpretable`, `ordinary`: the normalised tracks, `encoding`: `x_enc`,
        `(N, H / pool, W / pool, F)`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        ordinary_kernel_size: int = 1,
        beta: float = 4.0,
        peaks: int = 1,
        pool_size: int = 1,
        ordinary_drop: float = 0.0,
        initial_share: float = 0.5,
        share_step_scale: float = 20.0,
        norm_momentum: float = 0.95,
        seed: int = 0,
        places: int = 0,
        mask_beta: float = 4.0,
        mask_flat: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._arguments = {
            "filters": filters,
            "kernel_size": kernel_size,
            "ordinary_kernel_size": ordinary_kernel_size,
            "beta": beta,
            "peaks": peaks,
            "pool_size": pool_size,
            "ordinary_drop": ordinary_drop,
            "initial_share": initial_share,
            "share_step_scale": share_step_scale,
            "norm_momentum": norm_momentum,
            "seed": seed,
            "places": places,
            "mask_beta": mask_beta,
            "mask_flat": mask_flat,
        }
        self.filters = filters
        self.ordinary_drop = ordinary_drop
        policy = self.dtype_policy
        self.places = places
        conv_1, conv_2 = (
            {
                "kernel_initializer": keras.initializers.GlorotUniform(seed + number),
                "dtype": policy,
                "name": f"interpretable_{number}",
            }
            for number in (1, 2)
        )
        self.conv_1 = InterpretableConv2D(
            places or filters, kernel_size, beta, peaks, **conv_1
        )
        self.conv_2: InterpretableConv2D | GroupedPartConv2D
        if not places:
            self.conv_2 = InterpretableConv2D(
                filters, kernel_size, beta, peaks, **conv_2
            )
        elif filters % places:
            raise ConfigError(
                f"{filters} filters cannot be shared out over {places} places: take a "
                f"multiple, like {-(-filters // places) * places}, or the recipe "
                "'single', where each filter has a place of its own."
            )
        else:
            self.conv_2 = GroupedPartConv2D(
                places,
                filters // places,
                beta,
                mask_beta,
                mask_flat,
                **conv_2,
            )
            # Found before the decoder learns, which would pull them off their parts.
            self.conv_1.trainable = self.conv_2.trainable = False
        self.ordinary_conv = keras.layers.Conv2D(
            filters,
            ordinary_kernel_size,
            padding="same",
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            data_format="channels_last",
            dtype=policy,
            name="ordinary",
        )
        self.pool = (
            keras.layers.MaxPooling2D(
                pool_size, data_format="channels_last", dtype=policy, name="pool"
            )
            if pool_size > 1
            else None
        )
        self.norm_interpretable = ChannelNorm(
            norm_momentum, dtype=policy, name="norm_interpretable"
        )
        self.norm_ordinary = ChannelNorm(
            norm_momentum, dtype=policy, name="norm_ordinary"
        )
        if places:
            # As measured at the start, which the decoder is fitted to: a running mean
            # is that of the last few images, and of those of one category by chance.
            self.norm_interpretable.trainable = self.norm_ordinary.trainable = False
        self.gate = TrackGate(
            initial_share, share_step_scale, dtype=policy, name="gate"
        )
        self._random = keras.random.SeedGenerator(seed)

    @classmethod
    def from_recipe(
        cls, recipe: Recipe, filters: int, seed: int = 0, dtype: Any = None
    ) -> Encoder:
        """The encoder that a recipe describes."""
        return cls(
            filters,
            recipe.kernel_size,
            recipe.ordinary_kernel_size,
            recipe.beta,
            recipe.peaks,
            recipe.pool_size,
            recipe.ordinary_drop,
            recipe.initial_share,
            recipe.share_step_scale,
            recipe.norm_momentum,
            seed,
            recipe.places,
            recipe.mask_beta,
            recipe.mask_flat,
            name="encoder",
            dtype=dtype,
        )

    def build(self, input_shape: Any) -> None:
        maps = self.conv_1.compute_output_shape(input_shape)
        self.conv_1.build(input_shape)
        self.conv_2.build([maps, input_shape] if self.places else maps)
        maps = (*tuple(maps)[:-1], self.filters)
        self.ordinary_conv.build(input_shape)
        track = self.pool.compute_output_shape(maps) if self.pool is not None else maps
        self.norm_interpretable.build(track)
        self.norm_ordinary.build(track)
        self.gate.build([track, track])

    def call(self, features: Any, training: bool | None = None) -> dict[str, Any]:
        found = self._tracks(features)
        interpretable = self.norm_interpretable(
            found["interpretable"], training=training
        )
        ordinary = self.norm_ordinary(found["ordinary"], training=training)
        mixed = self._dropped(ordinary) if training and self.ordinary_drop else ordinary
        return {
            **found,
            "interpretable": interpretable,
            "ordinary": ordinary,
            "encoding": self.gate([interpretable, mixed]),
        }

    def observe(self, features: Any) -> None:
        """Lets both norms measure their channels on a batch, also where they rest."""
        found = self._tracks(features)
        self.norm_interpretable.observe(found["interpretable"])
        self.norm_ordinary.observe(found["ordinary"])

    def _tracks(self, features: Any) -> dict[str, Any]:
        """Maps, and both tracks before their norms."""
        maps_1, detections, maps = self._detected(features)
        if isinstance(self.conv_2, GroupedPartConv2D):
            part_maps = self.conv_2.masked(maps, detections)
        else:
            part_maps = self.conv_2.part_mask(maps)
        ordinary = self.ordinary_conv(features)
        interpretable = part_maps
        if self.pool is not None:
            interpretable, ordinary = self.pool(interpretable), self.pool(ordinary)
        return {
            "maps_1": maps_1,
            "maps": maps,
            "part_maps": part_maps,
            "interpretable": interpretable,
            "ordinary": ordinary,
        }

    def maps(self, features: Any) -> Any:
        """`"maps"` of `call` alone, `(N, H, W, F)`."""
        return self._detected(features)[-1]

    def _detected(self, features: Any) -> tuple[Any, Any, Any]:
        """Maps of the first layer, the same in their masks, maps of the second."""
        maps_1 = self.conv_1.activation(features)
        detections = self.conv_1.part_mask(maps_1)
        if isinstance(self.conv_2, GroupedPartConv2D):
            return maps_1, detections, self.conv_2.activation([detections, features])
        return maps_1, detections, self.conv_2.activation(detections)

    @property
    def part_count(self) -> int:
        """Parts `P`: the places, or each filter where there are none."""
        return self.places or self.filters

    @property
    def group_size(self) -> int:
        """Filters of a part: 1 where there are no places."""
        return self.filters // self.part_count

    def maps_by_part(self, maps: Any) -> Any:
        """`(N, H, W, F)` to `(N, H, W, P)`: the mean over the filters of a place."""
        if not self.places:
            return maps
        groups = (self.part_count, self.group_size)
        return ops.mean(ops.reshape(maps, (-1, *maps.shape[1:-1], *groups)), axis=-1)

    def sums_by_part(self, values: Any) -> Any:
        """`(N, F)` to `(N, P)`: the sum over the filters of a place."""
        if not self.places:
            return values
        groups = (self.part_count, self.group_size)
        return ops.sum(ops.reshape(values, (-1, *groups)), axis=-1)

    def _dropped(self, ordinary: Any) -> Any:
        count = ops.shape(ordinary)[0]
        # Drawn for the images of all replicas: each would draw the same numbers.
        before, images = global_batch.own_part(count)
        drawn = keras.random.uniform((images, 1, 1, 1), seed=self._random)
        keep = ops.slice(drawn, (before, 0, 0, 0), (count, 1, 1, 1))
        keep = ops.cast(keep >= self.ordinary_drop, ordinary.dtype)
        mean = ops.stop_gradient(global_batch.image_mean(ordinary)[None])
        return keep * ordinary + (1 - keep) * mean

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._arguments}
