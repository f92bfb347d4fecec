"""`GrpcTransport`: one request to TensorFlow Serving by gRPC and its own protocol."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_explainer.errors import (
    BadAnswerError,
    ConfigError,
    MessageTooLargeError,
    RefusedError,
    ServerDownError,
    ServerFaultError,
    ServingError,
    TlsError,
)
from keras_explainer.serving.address import Address
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.model_choice import ModelChoice
from keras_explainer.serving.model_metadata import ModelMetadata
from keras_explainer.serving.model_signature import ModelSignature
from keras_explainer.serving.refusals import no_model, refusal
from keras_explainer.serving.tls import Tls
from keras_explainer.serving.version_status import STATES, VersionStatus

_CONNECTION_WORDS = ("connect", "dns", "resol", "socket", "reset", "pipe", "goaway")
_TLS_WORDS = ("ssl", "tls", "handshake", "certificate", "verif", "tsi_")


class GrpcTransport:
    """Asks by the stubs of `tensorflow-serving-api`; each method once.

    Args:
        address: Of gRPC.
        tls: Files for a safe connection, if the address is a safe one.
        headers: Metadata sent with each request.
        max_bytes: Of a request and of an answer.

    Raises:
        ConfigError: `tensorflow-serving-api` is not installed.
    """

    def __init__(
        self,
        address: Address,
        tls: Tls | None,
        headers: Mapping[str, str],
        max_bytes: int,
    ) -> None:
        try:
            import grpc
            from tensorflow_serving.apis import (
                model_service_pb2_grpc,
                prediction_service_pb2_grpc,
            )
        except ImportError as error:
            raise ConfigError(
                f"gRPC needs tensorflow-serving-api ({error}): pip install "
                "'keras-explainer[serving]', or use REST, 'http://host:8501'."
            ) from error
        self.address = address
        self.max_bytes = max_bytes
        self._headers = tuple((key.lower(), value) for key, value in headers.items())
        options: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", max_bytes),
            ("grpc.max_receive_message_length", max_bytes),
            # Retries are the client's own; a server that is back is found at once.
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # Images go where the address says, not through a proxy of the environment.
            ("grpc.enable_http_proxy", 0),
        ]
        if address.secure:
            tls = tls or Tls()
            if tls.server_name is not None:
                options.append(("grpc.ssl_target_name_override", tls.server_name))
            self._channel = grpc.secure_channel(
                address.target, tls.credentials(), options
            )
        else:
            self._channel = grpc.insecure_channel(address.target, options)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self,
        choice: ModelChoice,
        signature: ModelSignature,
        inputs: Mapping[str, np.ndarray],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        """The outputs of an endpoint, as they come."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._choose(request.model_spec, choice)
        request.model_spec.signature_name = signature.name
        for name, value in inputs.items():
            kind = tf.string if value.dtype == object else value.dtype
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, kind))
        if request.ByteSize() > self.max_bytes:
            raise MessageTooLargeError(
                f"A request of {request.ByteSize()} bytes; max_message_bytes= is "
                f"{self.max_bytes}. Ask for fewer images at a time (batch_size=)."
            )
        found = self._ask(self._prediction.Predict, request, choice, deadline)
        try:
            return {
                name: tf.make_ndarray(self._bounded(name, value))
                for name, value in found.outputs.items()
            }
        except (TypeError, ValueError) as error:
            raise BadAnswerError(
                f"The server's answer holds a tensor that is none: {error}."
            ) from error

    def classify(
        self, choice: ModelChoice, images: list[bytes], deadline: Deadline
    ) -> list[list[tuple[str, float]]]:
        """The highest classes of each encoded image, and their scores."""
        from tensorflow_serving.apis import classification_pb2

        request = classification_pb2.ClassificationRequest()
        self._choose(request.model_spec, choice)
        request.model_spec.signature_name = "classify"
        for image in images:
            example = request.input.example_list.examples.add()
            example.features.feature["image"].bytes_list.value.append(image)
        found = self._ask(self._prediction.Classify, request, choice, deadline)
        return [
            [(one.label, one.score) for one in row.classes]
            for row in found.result.classifications
        ]

    def metadata(self, choice: ModelChoice, deadline: Deadline) -> ModelMetadata:
        """Which version answers, and its endpoints."""
        from google.protobuf.json_format import MessageToDict
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest()
        self._choose(request.model_spec, choice)
        request.metadata_field.append("signature_def")
        found = self._ask(self._prediction.GetModelMetadata, request, choice, deadline)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        given = found.metadata.get("signature_def")
        if given is None or not given.Unpack(signatures):
            raise BadAnswerError("The server describes no endpoints of the model.")

        def plain(message: Any) -> Any:
            return MessageToDict(message, preserving_proto_field_name=True)

        return ModelMetadata.of_json(
            {
                "model_spec": plain(found.model_spec),
                "metadata": {"signature_def": plain(signatures)},
            }
        )

    def status(self, choice: ModelChoice, deadline: Deadline) -> list[VersionStatus]:
        """The versions that the server knows of."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._choose(request.model_spec, choice)
        found = self._ask(self._models.GetModelStatus, request, choice, deadline)
        names = get_model_status_pb2.ModelVersionStatus.State
        statuses = []
        for one in found.model_version_status:
            state = names.Name(one.state) if one.state in names.values() else "UNKNOWN"
            error = one.status.error_message if one.status.error_code else ""
            if one.status.error_code and not error:
                error = f"error {one.status.error_code}"
            statuses.append(
                VersionStatus(
                    one.version, state if state in STATES else "UNKNOWN", error
                )
            )
        return statuses

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()

    def _bounded(self, name: str, tensor: Any) -> Any:
        """The tensor, if it is no larger than a message: one value may fill any shape.

        Raises:
            BadAnswerError: It is larger.
        """
        shape = [size.size for size in tensor.tensor_shape.dim]
        if any(size < 0 for size in shape) or math.prod(shape) > self.max_bytes:
            raise BadAnswerError(f"The server's {name} have the shape {shape}.")
        return tensor

    def _choose(self, spec: Any, choice: ModelChoice) -> None:
        spec.name = choice.name
        if choice.version is not None:
            spec.version.value = choice.version
        elif choice.label is not None:
            spec.version_label = choice.label

    def _ask(
        self,
        method: Callable[..., Any],
        request: Any,
        choice: ModelChoice,
        deadline: Deadline,
    ) -> Any:
        import grpc

        try:
            return method(request, timeout=deadline.left(), metadata=self._headers)
        except grpc.RpcError as error:
            raise self._error(error, choice, deadline) from error
        except ValueError as error:  # the channel is closed, or a header is no header
            raise ConfigError(f"The request cannot be sent: {error}.") from error

    def _error(
        self, error: Any, choice: ModelChoice, deadline: Deadline
    ) -> ServingError:
        import grpc

        code, message = error.code(), " ".join((error.details() or "").split())
        said = f"{self.address} answers {code.name}: {message}"
        kinds = grpc.StatusCode
        if code is kinds.DEADLINE_EXCEEDED:
            return deadline.missed() if deadline.is_over else ServerFaultError(said)
        if code is kinds.UNAVAILABLE:
            words = message.lower()
            if self.address.secure and any(word in words for word in _TLS_WORDS):
                return TlsError(f"No safe connection to {self.address}: {message}")
            if not any(word in words for word in _CONNECTION_WORDS):
                return ServerFaultError(said)  # a full queue, a model on its way
            return ServerDownError(f"No server answers at {self.address}: {message}")
        if code is kinds.RESOURCE_EXHAUSTED and "larger than max" in message:
            return MessageTooLargeError(
                f"{said}. Ask for fewer images at a time (batch_size=), or raise "
                "max_message_bytes= here and on the server."
            )
        if code is kinds.INTERNAL and "deserializing" in message:
            return BadAnswerError(f"The server's answer cannot be read: {message}")
        if code is kinds.NOT_FOUND:
            return no_model(choice, said)
        if code in (kinds.INVALID_ARGUMENT, kinds.FAILED_PRECONDITION):
            return refusal(choice, message, said)
        if code is kinds.UNIMPLEMENTED:
            said += " (is this the gRPC port of TensorFlow Serving?)"
        if code in (
            *(kinds.UNIMPLEMENTED, kinds.PERMISSION_DENIED, kinds.UNAUTHENTICATED),
            *(kinds.OUT_OF_RANGE, kinds.ALREADY_EXISTS),
        ):
            return RefusedError(said)
        return ServerFaultError(said)
