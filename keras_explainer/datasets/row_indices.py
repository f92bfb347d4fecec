"""Row indices given by a caller, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_explainer.errors import ConfigError


def row_indices(indices: Sequence[int] | np.ndarray | None, count: int) -> np.ndarray:
    """`indices` as int64 (n,); all rows for None.

    Args:
        indices: whole numbers in 0 .. count - 1, repeats allowed, or a boolean mask
            with `count` entries.
        count: the number of rows.

    Raises:
        ConfigError: anything else.
    """
    if indices is None:
        return np.arange(count)
    array = np.asarray(indices)
    if array.size == 0 and array.ndim == 1:
        return np.zeros(0, np.int64)
    if array.dtype == bool and array.shape == (count,):
        return np.flatnonzero(array)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ConfigError(
            "indices must be a one-dimensional list of whole numbers, or a mask of "
            f"{count} booleans; got {array.dtype} with shape {array.shape}."
        )
    array = array.astype(np.int64)
    if array.min() < 0 or array.max() >= count:
        wrong = array[(array < 0) | (array >= count)][0]
        raise ConfigError(
            f"There is no row {wrong}: indices must be in 0..{count - 1}."
        )
    return array


def batch_rows(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """`rows` cut into pieces of at most `batch_size`.

    Raises:
        ConfigError: `batch_size` is not a whole number of 1 or more.
    """
    whole = isinstance(batch_size, (int, np.integer))
    if not whole or isinstance(batch_size, bool) or batch_size < 1:
        raise ConfigError(
            f"batch_size must be a whole number of 1 or more; got {batch_size!r}."
        )
    return [rows[at : at + batch_size] for at in range(0, len(rows), batch_size)]
