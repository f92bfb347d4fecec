"""`ModelMetadata`: which version answers, and what it can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keras_explainer.errors import (
    BadAnswerError,
    UnknownSignatureError,
    did_you_mean,
)
from keras_explainer.serving.model_signature import ModelSignature
from keras_explainer.serving.rest_json import MALFORMED
from keras_explainer.serving.tensor_spec import KINDS, TensorSpec


@dataclass(frozen=True)
class ModelMetadata:
    """A version of a model, as its server describes it.

    Attributes:
        name: Of the model.
        version: Its number.
        signatures: The endpoints, by name.
    """

    name: str
    version: int
    signatures: Mapping[str, ModelSignature]

    def signature(self, name: str) -> ModelSignature:
        """An endpoint.

        Raises:
            UnknownSignatureError: The model has no such one.
        """
        if name not in self.signatures:
            raise UnknownSignatureError(
                f"Model '{self.name}', version {self.version}, has no endpoint "
                f"'{name}'. {did_you_mean(name, self.signatures)}"
            )
        return self.signatures[name]

    @classmethod
    def of_json(cls, data: Any) -> ModelMetadata:
        """Of the answer of `GET …/metadata`, the protocol's own names.

        Raises:
            BadAnswerError: It is something else.
        """
        try:
            spec = data["model_spec"]
            signatures = data["metadata"]["signature_def"]["signature_def"]
            return cls(
                str(spec["name"]),
                int(spec["version"]),
                {
                    str(name): ModelSignature(
                        str(name),
                        _tensors(one.get("inputs", {})),
                        _tensors(one.get("outputs", {})),
                        str(one.get("method_name", "")),
                    )
                    for name, one in signatures.items()
                    if not name.startswith("__")
                },
            )
        except MALFORMED as error:
            raise BadAnswerError(
                f"The server's description of the model cannot be read: {error!r}."
            ) from error


def _tensors(given: Any) -> dict[str, TensorSpec]:
    found = {}
    for name, info in given.items():
        kind, shape = str(info["dtype"]), info.get("tensor_shape", {})
        if kind not in KINDS:
            raise ValueError(f"{name} has the type {kind}")
        sizes = [int(size.get("size", 0)) for size in shape.get("dim", [])]
        found[str(name)] = TensorSpec(
            kind,
            None
            if shape.get("unknown_rank")
            else tuple(None if size < 0 else size for size in sizes),
        )
    return found
