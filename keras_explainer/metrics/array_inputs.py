"""Checks and conversion of the arrays that the map-based figures take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from keras_explainer.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]


def as_numpy(values: Any) -> npt.NDArray[Any]:
    """`values` (array, nested list or tensor of any backend) as a NumPy array.

    Raises:
        DataError: ragged lists, text, or no numbers at all.
    """
    if not isinstance(values, np.ndarray):
        import keras

        if keras.ops.is_tensor(values):
            values = keras.ops.convert_to_numpy(values)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"Expected one array of numbers: {error}") from error
    if array.dtype.kind in "OSUmMc":
        raise DataError(
            f"Expected an array of real numbers; got {type(values).__name__} of "
            f"dtype {array.dtype}."
        )
    return array


def check_maps_shape(shape: tuple[int, ...]) -> None:
    """Raises `DataError` unless `shape` is (images, height, width, filters)."""
    if len(shape) != 4 or 0 in shape[1:]:
        raise DataError(
            "Feature maps must have the shape (images, height, width, filters) with "
            f"at least one cell and one filter; got {tuple(shape)}."
        )


def as_maps(maps: Any) -> FloatArray:
    """Feature maps as float64 (N, H, W, C).

    Raises:
        DataError: another rank, no cell, no filter, no image, NaN or infinity.
    """
    array = as_numpy(maps)
    check_maps_shape(array.shape)
    if len(array) == 0:
        raise DataError("The figures need at least one image; got none.")
    array = np.ascontiguousarray(array, np.float64)
    if not np.isfinite(array).all():
        bad = np.flatnonzero(~np.isfinite(array).all((1, 2, 3)))
        raise DataError(
            f"Feature maps of {len(bad)} images hold NaN or infinity "
            f"(first at index {bad[0]} of the given batch)."
        )
    return array


def as_centres(centres: Any, images: int) -> FloatArray:
    """Part centres as float64 (N, P, 2), pixels (y, x), NaN where absent.

    Raises:
        DataError: another shape, another number of images, an infinite value, or a
            centre of which only one coordinate is given.
    """
    array = np.asarray(as_numpy(centres), np.float64)
    if array.ndim != 3 or array.shape[2] != 2 or array.shape[1] == 0:
        raise DataError(
            "Part centres must have the shape (images, parts, 2) with at least one "
            f"part; got {array.shape}. Give None where there is no annotation."
        )
    if len(array) != images:
        raise DataError(
            f"Part centres are given for {len(array)} images, feature maps for "
            f"{images}; both must be of the same images."
        )
    missing = np.isnan(array)
    if np.isinf(array).any() or (missing[..., 0] != missing[..., 1]).any():
        bad = np.isinf(array).any(-1) | (missing[..., 0] != missing[..., 1])
        image, part = np.argwhere(bad)[0]
        raise DataError(
            f"The centre of part {part} in image {image} is "
            f"{array[image, part].tolist()}; both coordinates must be finite, or "
            "both NaN where the part is absent."
        )
    return array


def as_image_size(image_size: Any) -> tuple[float, float]:
    """`image_size` as (height, width) in pixels.

    Raises:
        DataError: not two positive finite numbers.
    """
    array = np.asarray(as_numpy(image_size))
    if (
        array.shape != (2,)
        or array.dtype.kind not in "iuf"
        or not np.isfinite(array).all()
        or (array <= 0).any()
    ):
        raise DataError(
            "image_size must be (height, width) in pixels, two positive numbers; "
            f"got {image_size!r}."
        )
    return float(array[0]), float(array[1])
