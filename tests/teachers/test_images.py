"""Images that a teacher refuses."""

from __future__ import annotations

import archetypes
import keras
import numpy as np
import pytest

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.teachers import Teacher

GOOD = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")


def changed(index: tuple[int, ...], value: float) -> np.ndarray:
    images = GOOD.astype("float32")
    images[index] = value
    return images


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (GOOD[0], r"\(32, 32, 3\); a batch.*image\[None\]"),
        (GOOD[0, 0], r"shape \(32, 3\)"),
        (GOOD[:0], "no images"),
        (GOOD[:, :16], r"16x32x3.*takes 32x32x3.*Resize"),
        (GOOD[..., :1], r"32x32x1.*Convert them to RGB"),
        (np.moveaxis(GOOD, -1, 1), r"channels first: use numpy\.moveaxis"),
        (changed((1, 2, 3, 0), np.nan), "Image 1 has NaN"),
        (changed((0, 2, 3, 0), np.inf), "Image 0 has NaN"),
        (GOOD.astype("complex64"), "dtype complex64"),
        (GOOD.astype(object), "dtype object"),
        (GOOD > 9, "dtype bool"),
        (GOOD / 255.0, r"in 0\.\.1; .*Multiply the images by 255"),
        (GOOD / 127.5 - 1, "before preprocessing"),
        (changed((0, 0, 0, 0), -0.5), "clip"),
        (GOOD * 257.0, "16-bit images by 257"),
        (list(GOOD), r"got list.*numpy\.stack"),
        (None, "got NoneType"),
    ],
)
def test_refused(images, text: str, teacher_of) -> None:
    teacher = teacher_of("plain")
    with pytest.raises(DataError, match=text):
        teacher.check_images(images)
    if images is None or len(images):
        for call in (teacher.extract, teacher.classify):
            with pytest.raises(DataError, match=text):
                call(images)


@pytest.mark.parametrize(
    "images",
    [
        GOOD,
        GOOD.astype("float16"),
        GOOD.astype("int32"),
        np.zeros_like(GOOD),
        np.zeros_like(GOOD, "float32"),
        (GOOD > 128).astype("float32"),
        np.full_like(GOOD, 255, "float64"),
    ],
)
def test_accepted(images: np.ndarray, teacher_of) -> None:
    teacher_of("plain").check_images(images)


def test_exchanged_sides_and_channels(teacher_of) -> None:
    images = np.zeros((1, 40, 48, 3), "uint8")
    with pytest.raises(DataError, match="Height and width are exchanged"):
        teacher_of("residual").check_images(images)
    with pytest.raises(DataError, match="Give images with 5 channels"):
        teacher_of("five_channels").check_images(np.zeros((1, 28, 36, 3), "uint8"))


def test_range_where_the_model_itself_scales(teacher_of) -> None:
    """`identity` knows no range, unless the first layer scales 0..255 down."""
    unit = np.random.default_rng(0).uniform(0, 1, (1, 32, 40, 3))
    with pytest.raises(DataError, match="Multiply the images by 255"):
        teacher_of("sequential").check_images(unit)
    model = archetypes.build("plain")
    Teacher(model, "conv2", ["conv4"]).check_images(GOOD / 127.5 - 1)


def test_normalization_as_first_layer_expects_255() -> None:
    image = keras.Input((12, 10, 3))
    norm = keras.layers.Normalization(mean=[120.0] * 3, variance=[3000.0] * 3)
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv1")(norm(image))
    x = keras.layers.Conv2D(2, 3, activation="relu", name="conv2")(x)
    teacher = Teacher(keras.Model(image, x), "conv1", ["conv2"])
    with pytest.raises(DataError, match="Multiply"):
        teacher.check_images(np.full((1, 12, 10, 3), 0.5))


def test_batch_size(teacher_of) -> None:
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        teacher_of("plain").extract(GOOD, batch_size=0)
