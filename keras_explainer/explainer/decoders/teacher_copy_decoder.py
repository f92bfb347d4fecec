"""Decoder that starts as a trainable copy of the teacher's own layers."""

from __future__ import annotations

import copy
from typing import Any

import keras

from keras_explainer.layers.set_centre import set_centre
from keras_explainer.registration import registered


@registered
class TeacherCopyDecoder(keras.layers.Layer):
    """An adapter to the tap's channels, then the teacher's layers tap → targets.

    The copy starts from the teacher's weights; its batch statistics stay as the teacher
    has them. (Ours; the paper's decoder is `FCDecoder`.)

    Args:
        copy: a model from the tap's features to a dict `{target: features}`, as
            `Teacher.copy_upper` makes it.
        adapter_size: side of the adapter's kernel, an odd number.
        train_copy: whether the copied layers learn on, beside the adapter.
        seed: of the adapter's start weights.
        adapter_step_scale: what the adapter's kernel is multiplied by. An optimiser
            whose step does not depend on the gradient's size (Adam) then moves the
            adapter this many times faster than what is learned beside it.

    Input: `x_enc` `(N, H, W, F)`. Output: dict `{target: features}`.
    """

    def __init__(
        self,
        copy: keras.Model,
        adapter_size: int = 1,
        train_copy: bool = True,
        seed: int = 0,
        adapter_step_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.copy = copy
        self.copy.trainable = train_copy
        self.adapter_size = adapter_size
        self.train_copy = train_copy
        self.seed = seed
        self.adapter_step_scale = float(adapter_step_scale)
        self.adapter = keras.layers.Conv2D(
            copy.inputs[0].shape[-1],
            adapter_size,
            padding="same",
            data_format="channels_last",
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            dtype=self.dtype_policy,
            name="adapter",
        )

    def build(self, input_shape: Any) -> None:
        self.adapter.build(input_shape)

    def call(self, encoding: Any, training: bool | None = None) -> dict[str, Any]:
        # training=False: BatchNorm keeps the teacher's statistics, Dropout is off.
        return self.copy(self.adapted(encoding), training=False)

    def adapted(self, encoding: Any) -> Any:
        """What the adapter makes of `x_enc`: features of the tap, `(N, H, W, C)`."""
        if self.adapter_step_scale != 1:
            encoding = self.adapter_step_scale * encoding
        return self.adapter(encoding)

    def set_adapter(self, matrix: Any, bias: Any) -> None:
        """Sets the adapter to `x_enc @ matrix + bias`, `(F, C)` and `(C,)`."""
        set_centre(self.adapter, matrix / self.adapter_step_scale, bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "copy": keras.saving.serialize_keras_object(self.copy),
            "adapter_size": self.adapter_size,
            "train_copy": self.train_copy,
            "seed": self.seed,
            "adapter_step_scale": self.adapter_step_scale,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TeacherCopyDecoder:
        config = dict(config)
        if isinstance(config["copy"], dict):
            # A copy: Keras empties the configuration that it makes a model from.
            config["copy"] = keras.saving.deserialize_keras_object(
                copy.deepcopy(config["copy"])
            )
        return cls(**config)
