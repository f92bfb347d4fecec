"""The images that a run is measured on, and where they come from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainer.datasets import ImageArray, ImageFolder
from keras_explainer.datasets.image_source import ImageSource
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explainer import Explainer
from keras_explainer.runs.run_folder import RunFolder


def measured_images(
    run: RunFolder | None,
    explainer: Explainer,
    data: Any,
    category: str | None = None,
    on_bad: str | None = None,
) -> tuple[ImageSource, dict[str, Any]]:
    """The images to measure on: never those that were learned from.

    Args:
        run: its folder, None for an explainer without one.
        explainer: with its teacher.
        data, category, on_bad: see `keras_explainer.runs.evaluate`; an array of images
            is taken as it is.

    Returns:
        At least one image of the teacher's size, and `directory`, `category`, `split`.

    Raises:
        DataError: images that cannot be used, or none.
        ConfigError: arguments that do not go with each other.
    """
    images, facts = _images(run or explainer, explainer, data, category, on_bad)
    if tuple(images.image_shape) != tuple(explainer.teacher.input_shape):
        raise DataError(
            f"The images are {tuple(images.image_shape)}; the teacher takes "
            f"{tuple(explainer.teacher.input_shape)} (height, width, channels)."
        )
    if not len(images):
        raise DataError("There are no images to measure on.")
    return images, facts


def _images(
    run: RunFolder | Explainer,
    explainer: Explainer,
    data: Any,
    category: str | None,
    on_bad: str | None,
) -> tuple[ImageSource, dict[str, Any]]:
    """The images to measure on, and where they come from."""
    if data is None or isinstance(data, str | os.PathLike):
        height, width, channels = explainer.teacher.input_shape
        if isinstance(run, RunFolder):
            data = run.image_folder(
                (height, width),
                channels,
                directory=data,
                category=category,
                on_bad=on_bad,
            )
        elif data is None:
            raise ConfigError(
                "An explainer without a run folder needs data to measure."
            )
        else:
            data = ImageFolder(
                data,
                image_size=(height, width),
                channels=channels,
                category=category or None,
                on_bad=on_bad or "skip",
            )
    elif category is not None or on_bad is not None:
        raise ConfigError(
            "category and on_bad go with a folder's path; these images are chosen."
        )
    if isinstance(data, np.ndarray):
        data = ImageArray(data)
    if isinstance(data, ImageFolder):
        facts = {
            "directory": str(Path(data.directory).resolve()),
            "category": data.category,
            "split": data.split_record()["how"],
        }
        return data.test, facts
    if not hasattr(data, "batches"):
        raise DataError(
            "Images to measure on are a folder's path, an ImageFolder, an ImageSubset, "
            f"an ImageArray or an array; got {type(data).__name__}."
        )
    return data, {"directory": None, "category": None, "split": None}
