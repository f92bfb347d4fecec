"""What a teacher does to an image before its first layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from keras_explainer.errors import TeacherError, did_you_mean
from keras_explainer.teachers.graph_step import takes_training

# y = (x[..., order] - mean) / scale on RGB 0..255, with the constants of
# keras.applications.imagenet_utils.preprocess_input.
_IMAGENET_MEAN = (0.485 * 255.0, 0.456 * 255.0, 0.406 * 255.0)
_IMAGENET_STD = (0.229 * 255.0, 0.224 * 255.0, 0.225 * 255.0)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)

MODES = ("identity", "unit", "tf", "torch", "caffe")


class Preprocessing:
    """Maps images, RGB in 0..255, to what the teacher's first layer expects.

    Modes: `identity` leaves them (the model preprocesses by itself, or takes what
    the caller gives); `unit` gives 0..1; `tf` gives -1..1; `torch` normalises 0..1
    by ImageNet's mean and deviation; `caffe` gives BGR less ImageNet's mean. The
    last three equal `keras.applications.imagenet_utils.preprocess_input`.

    Args:
        given: A mode's name, or a built `keras.Layer` that takes (n, H, W, C)
            images and is called with `training=False`.

    Raises:
        TeacherError: An unknown mode, or something that is neither.
    """

    def __init__(self, given: str | keras.Layer = "identity") -> None:
        if isinstance(given, keras.Layer):
            self.mode = "layer"
            self.layer: Any = given
        elif isinstance(given, str) and given in MODES:
            self.mode = given
            self.layer = None
        elif isinstance(given, str):
            raise TeacherError(
                f"Unknown preprocessing '{given}'. {did_you_mean(given, MODES)} "
                f"Accepted: {', '.join(MODES)}, or a keras Layer."
            )
        else:
            raise TeacherError(
                f"Preprocessing is one of {', '.join(MODES)}, or a keras Layer; got "
                f"{type(given).__name__}. Wrap a function in keras.layers.Lambda."
            )

    @property
    def expects_255(self) -> bool:
        """Whether the mode is defined for values 0..255 (`identity`: unknown)."""
        return self.mode in ("unit", "tf", "torch", "caffe")

    def check_channels(self, channels: int) -> None:
        """Refuses a colour mode for images that are not RGB.

        Raises:
            TeacherError: `torch` or `caffe` with other than 3 channels.
        """
        if self.mode in ("torch", "caffe") and channels != 3:
            raise TeacherError(
                f"Preprocessing '{self.mode}' is for 3 channels (RGB); this model "
                f"takes {channels}. Use 'identity', 'unit', 'tf' or a keras Layer."
            )

    def __call__(self, images: Any) -> Any:
        """Preprocesses a tensor (n, H, W, C), RGB 0..255, in float32."""
        images = keras.ops.cast(images, "float32")
        if self.mode == "unit":
            return images / 255.0
        if self.mode == "tf":
            return images / 127.5 - 1.0
        if self.mode == "torch":
            centred = keras.ops.subtract(images, _constant(_IMAGENET_MEAN))
            return keras.ops.divide(centred, _constant(_IMAGENET_STD))
        if self.mode == "caffe":
            bgr = keras.ops.flip(images, axis=-1)
            return keras.ops.subtract(bgr, _constant(_CAFFE_MEAN_BGR))
        if self.layer is not None:
            if takes_training(self.layer):
                return self.layer(images, training=False)
            return self.layer(images)
        return images


def _constant(numbers: tuple[float, ...]) -> Any:
    # A tensor: PyTorch would take a NumPy array for an operand that leaves the graph.
    return keras.ops.convert_to_tensor(np.asarray(numbers, "float32"))
