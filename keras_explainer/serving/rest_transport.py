"""`RestTransport`: one request to TensorFlow Serving by HTTP and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np

from keras_explainer.errors import (
    BadAnswerError,
    ConfigError,
    MessageTooLargeError,
    RefusedError,
    ServerFaultError,
    ServingError,
    did_you_mean,
)
from keras_explainer.serving import rest_json
from keras_explainer.serving.address import Address
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.model_choice import ModelChoice
from keras_explainer.serving.model_metadata import ModelMetadata
from keras_explainer.serving.model_signature import ModelSignature
from keras_explainer.serving.refusals import no_model, refusal
from keras_explainer.serving.rest_connection import RestConnection
from keras_explainer.serving.tls import Tls
from keras_explainer.serving.version_status import STATES, VersionStatus

_TRY_AGAIN = (409, 429, 500, 502, 503, 504)


class RestTransport:
    """Asks by https://www.tensorflow.org/tfx/serving/api_rest; each method once.

    Args:
        address, tls, headers, max_bytes: See `RestConnection`.
        form: "row" or "column", how tensors are written.
    """

    def __init__(
        self,
        address: Address,
        tls: Tls | None,
        headers: Mapping[str, str],
        max_bytes: int,
        form: str = "row",
    ) -> None:
        if form not in rest_json.FORMS:
            raise ConfigError(
                f"rest_form is 'row' or 'column', got {form!r}. "
                + did_you_mean(str(form), rest_json.FORMS)
            )
        self.address = address
        self.form = form
        self.max_bytes = max_bytes
        self._connection = RestConnection(address, tls, headers, max_bytes)

    def predict(
        self,
        choice: ModelChoice,
        signature: ModelSignature,
        inputs: Mapping[str, np.ndarray],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        """The outputs of an endpoint, as they come."""
        body = rest_json.request_body(signature.name, inputs, self.form)
        if len(body) > self.max_bytes:
            raise MessageTooLargeError(
                f"A request of {len(body)} bytes; max_message_bytes= is "
                f"{self.max_bytes}. Ask for fewer images at a time (batch_size=)."
            )
        found = self._ask("POST", _path(choice) + ":predict", choice, deadline, body)
        return rest_json.predictions(found, signature, self.form)

    def classify(
        self, choice: ModelChoice, images: list[bytes], deadline: Deadline
    ) -> list[list[tuple[str, float]]]:
        """The highest classes of each encoded image, and their scores."""
        body = rest_json.classify_body(images)
        found = self._ask("POST", _path(choice) + ":classify", choice, deadline, body)
        try:
            return [
                [(str(label), _number(score)) for label, score in row]
                for row in found["results"]
            ]
        except rest_json.MALFORMED as error:
            raise BadAnswerError(
                f"The server's classes are no labels with scores: {error!r}."
            ) from error

    def metadata(self, choice: ModelChoice, deadline: Deadline) -> ModelMetadata:
        """Which version answers, and its endpoints."""
        path = _path(choice) + "/metadata"
        return ModelMetadata.of_json(self._ask("GET", path, choice, deadline))

    def status(self, choice: ModelChoice, deadline: Deadline) -> list[VersionStatus]:
        """The versions that the server knows of."""
        found = self._ask("GET", _path(choice), choice, deadline)
        try:
            return [_status(one) for one in found["model_version_status"]]
        except rest_json.MALFORMED as error:
            raise BadAnswerError(
                f"The server's status of the model cannot be read: {error!r}."
            ) from error

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        choice: ModelChoice,
        deadline: Deadline,
        body: bytes | None = None,
    ) -> dict[str, Any]:
        path = self.address.prefix + path
        status, answer = self._connection.request(method, path, body, deadline)
        if status == 200:
            return rest_json.answer_of(answer)
        raise self._error(status, rest_json.error_message(answer), choice)

    def _error(self, status: int, message: str, choice: ModelChoice) -> ServingError:
        said = f"{self.address} answers {status}: {message}"
        if status == 404 and (
            "Servable not found" in message or "Could not" in message
        ):
            return no_model(choice, said)
        if status == 413:
            return MessageTooLargeError(f"{said}. Ask for fewer images at a time.")
        if status in _TRY_AGAIN:
            return ServerFaultError(said)
        if status == 400:
            return refusal(choice, message, said)
        if 300 <= status < 400:
            said += " (redirections are not followed)"
        elif status == 404:
            said += " (is this the REST port of TensorFlow Serving?)"
        return RefusedError(said)


def _path(choice: ModelChoice) -> str:
    path = f"/v1/models/{quote(choice.name, safe='')}"
    if choice.version is not None:
        return f"{path}/versions/{choice.version}"
    if choice.label is not None:
        return f"{path}/labels/{quote(choice.label, safe='')}"
    return path


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed, got {value!r}")
    return float(value)


def _status(one: Any) -> VersionStatus:
    state, said = str(one["state"]), one.get("status", {})
    error = str(said.get("error_message", ""))
    code = str(said.get("error_code", "OK"))
    return VersionStatus(
        int(one["version"]),
        state if state in STATES else "UNKNOWN",
        "" if code == "OK" else f"{code}: {error}",
    )
