"""`TensorSpec`: kind and shape of an input or output of an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainer.errors import BadAnswerError

# TensorFlow's names of the kinds that an export has; text is bytes in objects.
KINDS: dict[str, Any] = {
    "DT_FLOAT": np.dtype("float32"),
    "DT_DOUBLE": np.dtype("float64"),
    "DT_HALF": np.dtype("float16"),
    "DT_INT32": np.dtype("int32"),
    "DT_INT64": np.dtype("int64"),
    "DT_UINT8": np.dtype("uint8"),
    "DT_BOOL": np.dtype("bool"),
    "DT_STRING": np.dtype("object"),
}


@dataclass(frozen=True)
class TensorSpec:
    """An input or an output.

    Attributes:
        kind: "DT_FLOAT" and the like.
        shape: With the batch; None for a size that is not known. None: not known.
    """

    kind: str
    shape: tuple[int | None, ...] | None

    @property
    def dtype(self) -> np.dtype:
        """Of arrays that hold it; `object` for text."""
        return KINDS[self.kind]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array has this shape."""
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            wanted in (None, size)
            for wanted, size in zip(self.shape, shape, strict=True)
        )

    def checked(self, name: str, value: np.ndarray, rows: int) -> np.ndarray:
        """`value`, if an answer for `rows` images may have it.

        Raises:
            BadAnswerError: Another kind or shape.
        """
        if value.dtype != self.dtype:
            raise BadAnswerError(
                f"The server's answer has {name} of type {value.dtype}, the model's "
                f"own description says {self.dtype}."
            )
        if not value.ndim or len(value) != rows or not self.fits(value.shape):
            wanted = ["any" if size is None else size for size in self.shape or ()]
            raise BadAnswerError(
                f"The server's answer for {rows} images has {name} of shape "
                f"{value.shape}; the model's own description says {wanted}."
            )
        return value
