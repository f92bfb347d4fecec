"""`open_input`: a dataset by its path, whatever it holds."""

from __future__ import annotations

from pathlib import Path

from keras_explainer.batch_inference.dataset_input import DatasetInput
from keras_explainer.batch_inference.file_walk import walk_files
from keras_explainer.batch_inference.image_files import ImageFiles
from keras_explainer.batch_inference.parquet_files import ParquetFiles
from keras_explainer.batch_inference.tfrecord_files import TfRecordFiles, is_tfrecord
from keras_explainer.errors import ConfigError, DataError, did_you_mean

KINDS = ("images", "parquet", "tfrecord")


def open_input(
    path: Path,
    kind: str | None = None,
    image_column: str | None = None,
    id_column: str | None = None,
) -> DatasetInput:
    """A dataset of image files, Parquet files or TFRecord files.

    Args:
        path: A file, or a folder with files at any depth.
        kind: One of `KINDS`; None for that of the first file.
        image_column, id_column: See `ParquetFiles` and `TfRecordFiles`.

    Raises:
        DataError: Nothing is there, or no file of a kind that is known.
        ConfigError: No such kind; columns of image files.
    """
    if not path.exists():
        raise DataError(f"There is no file or folder {path}.")
    if kind is None:
        kind = _kind_of(path)
    elif kind not in KINDS:
        raise ConfigError(
            f"kind is one of {', '.join(KINDS)}, got {kind!r}. "
            + did_you_mean(kind, KINDS)
        )
    if kind == "parquet":
        return ParquetFiles(path, image_column, id_column)
    if kind == "tfrecord":
        return TfRecordFiles(path, image_column, id_column)
    if image_column is not None or id_column is not None:
        raise ConfigError("Image files have no columns: leave image and id column out.")
    return ImageFiles(path)


def _kind_of(path: Path) -> str:
    for file in walk_files(path, ()):
        for one in (ImageFiles, ParquetFiles):
            if file.lower().endswith(one.endings):
                return one.kind
        if is_tfrecord(file):
            return TfRecordFiles.kind
    raise DataError(
        f"{path} has no images: neither image files nor Parquet files nor TFRecord "
        "files (a name that says none of these needs kind=)."
    )
