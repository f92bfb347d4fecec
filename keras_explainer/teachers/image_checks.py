"""Checks of images before a teacher sees them; each message names the fix."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_explainer.errors import DataError


def check_images(
    images: Any,
    input_shape: tuple[int, int, int],
    *,
    expects_255: bool,
    allow_empty: bool = False,
) -> None:
    """Refuses images that a teacher would give silently wrong features for.

    Args:
        images: (n, H, W, C), uint8 or float.
        input_shape: The teacher's (H, W, C).
        expects_255: Whether values are 0..255; else only NaN and infinity are refused.
        allow_empty: Whether n = 0 is accepted.

    Raises:
        DataError: See above.
    """
    shape = getattr(images, "shape", None)
    dtype = getattr(images, "dtype", None)
    if shape is None or dtype is None:
        raise DataError(
            f"Images are one array (n, height, width, channels), got "
            f"{type(images).__name__}. Use numpy.stack on images of one size."
        )
    wanted = "x".join(str(size) for size in input_shape)
    if len(shape) == 3:
        raise DataError(
            f"Images have shape {tuple(shape)}; a batch (n, height, width, channels) "
            "is needed. For one image use image[None]."
        )
    if len(shape) != 4:
        raise DataError(
            f"Images have shape {tuple(shape)}; (n, {', '.join(map(str, input_shape))}"
            ") is needed."
        )
    if tuple(shape[1:]) != tuple(input_shape):
        raise DataError(_size_message(tuple(shape[1:]), input_shape, wanted))
    if shape[0] == 0:
        if allow_empty:
            return
        raise DataError("There are no images: the first dimension is 0.")
    _check_values(np.asarray(images), expects_255)


def _size_message(
    given: tuple[int, ...], wanted: tuple[int, int, int], text: str
) -> str:
    got = "x".join(str(size) for size in given)
    if given[:2] == wanted[:2]:
        fix = (
            "Convert them to RGB."
            if wanted[2] == 3
            else f"Give images with {wanted[2]} channels."
        )
    elif given[1:] == wanted[:2] and given[0] == wanted[2]:
        fix = "They are channels first: use numpy.moveaxis(images, 1, -1)."
    elif given[:2] == (wanted[1], wanted[0]):
        fix = "Height and width are exchanged."
    else:
        fix = "Resize them to the teacher's input size."
    return (
        f"Images are {got} (height x width x channels), the teacher takes {text}. "
        + fix
    )


def _check_values(images: np.ndarray, expects_255: bool) -> None:
    kind = images.dtype.kind
    # ml_dtypes' bfloat16 is of kind 'V'; it has a name and converts.
    if kind not in "uif" and images.dtype.name != "bfloat16":
        raise DataError(
            f"Images have dtype {images.dtype}; uint8 or float (0..255) is needed. "
            "Use images.astype('float32')."
        )
    # Image by image: no temporary copy of a large array.
    low, high, whole = np.inf, -np.inf, True
    for index, image in enumerate(images):
        if kind not in "ui":
            image = image.astype("float32", copy=False)
            if not np.isfinite(image).all():
                raise DataError(
                    f"Image {index} has NaN or infinite values. Remove it, or mend "
                    "it with numpy.nan_to_num."
                )
        low, high = min(low, float(image.min())), max(high, float(image.max()))
        if high <= 1.0:
            whole = whole and (kind in "ui" or bool((image == np.floor(image)).all()))
    if expects_255:
        _check_range(low, high, whole)


def _check_range(low: float, high: float, whole: bool) -> None:
    if low < 0:
        raise DataError(
            f"Images have values from {low:.4g} to {high:.4g}; this teacher takes "
            "0..255 and preprocesses by itself. Give images before preprocessing "
            "(numpy.clip(images, 0, 255) after a resize that overshoots)."
        )
    if high > 255:
        raise DataError(
            f"Images have values up to {high:.4g}; this teacher takes 0..255. "
            "Divide 16-bit images by 257; clip after a resize that overshoots."
        )
    if high <= 1.0 and not whole:
        raise DataError(
            f"All image values lie in {low:.4g}..{high:.4g}; this teacher takes "
            "0..255. Multiply the images by 255."
        )
