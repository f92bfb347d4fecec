"""`ModelSignature`: inputs and outputs of one endpoint of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keras_explainer.errors import BadAnswerError, DataError, UnknownSignatureError
from keras_explainer.serving.tensor_spec import TensorSpec


@dataclass(frozen=True)
class ModelSignature:
    """An endpoint.

    Attributes:
        name: Of the endpoint.
        inputs, outputs: By name.
        method: "tensorflow/serving/predict" and the like.
    """

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str

    def check_inputs(self, given: Mapping[str, np.ndarray]) -> None:
        """Refuses inputs that the endpoint does not take, before they are sent.

        Raises:
            UnknownSignatureError: It has other inputs: no endpoint of an explainer.
            DataError: Another shape.
        """
        if set(given) != set(self.inputs):
            raise UnknownSignatureError(
                f"The endpoint '{self.name}' takes {', '.join(sorted(self.inputs))}, "
                f"that of an explainer {', '.join(sorted(given))}."
            )
        for name, value in given.items():
            spec = self.inputs[name]
            if not spec.fits(value.shape):
                wanted = ["any" if size is None else size for size in spec.shape or ()]
                raise DataError(
                    f"The model takes {name} of shape {wanted}, got {value.shape}."
                )

    def checked(
        self, found: Mapping[str, np.ndarray], rows: int
    ) -> dict[str, np.ndarray]:
        """An answer for `rows` images, if it has all outputs as they should be.

        Raises:
            BadAnswerError: Outputs are missing or more; other kinds or shapes.
        """
        missing = sorted(set(self.outputs) - set(found))
        extra = sorted(set(found) - set(self.outputs))
        if missing or extra:
            parts = [f"lacks {', '.join(missing)}"] if missing else []
            parts += [f"has {', '.join(extra)} too"] if extra else []
            raise BadAnswerError(
                f"The server's answer of {self.name} {' and '.join(parts)}."
            )
        return {
            name: spec.checked(name, found[name], rows)
            for name, spec in self.outputs.items()
        }
