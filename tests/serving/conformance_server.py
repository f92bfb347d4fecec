"""`ConformanceServer`: TensorFlow Serving's two interfaces on the loopback interface.

Built from the official protocol files: the gRPC services by `tensorflow-serving-api`,
the REST interface by its documentation. It stands in where the real server cannot run;
the same tests run against that one too.
"""

from __future__ import annotations

import re
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import json_tensors
import tensorflow as tf
from google.protobuf import json_format
from model_store import ModelStore
from serving_errors import ServingFault, invalid, not_found
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

_WHICH = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
ASKED = re.compile(rf"(?i)/v1/models/([^/:]+){_WHICH}:(classify|regress|predict)")
TOLD = re.compile(rf"(?i)/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?")


class ConformanceServer:
    """Serves until the block ends.

    Args:
        store: The models.
        certificate, key: PEM files: both interfaces by TLS.
        client_ca: PEM file: clients show a certificate that it signed.
        max_bytes: Of a gRPC message.

    Attributes:
        faults: Errors that the next predictions meet, one each.
        pause: Seconds that each prediction takes longer.
        asked: The signatures and versions of all predictions, in their order.
        rest, grpc: Addresses of the two interfaces.
    """

    def __init__(
        self,
        store: ModelStore,
        certificate: Path | None = None,
        key: Path | None = None,
        client_ca: Path | None = None,
        max_bytes: int = 2**31 - 1,
    ) -> None:
        self.store = store
        self.faults: deque[ServingFault] = deque()
        self.pause = 0.0
        self.asked: list[tuple[str, int]] = []
        self.stopped = threading.Event()
        safe = certificate is not None
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        if safe:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            if client_ca is not None:
                context.load_verify_locations(client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        self._grpc = grpc.server(
            futures.ThreadPoolExecutor(16),
            options=[
                ("grpc.max_receive_message_length", max_bytes),
                ("grpc.max_send_message_length", -1),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _Prediction(self), self._grpc
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            _Models(self), self._grpc
        )
        if safe:
            roots = None if client_ca is None else client_ca.read_bytes()
            port = self._grpc.add_secure_port(
                "localhost:0",
                grpc.ssl_server_credentials(
                    [(key.read_bytes(), certificate.read_bytes())],
                    roots,
                    require_client_auth=roots is not None,
                ),
            )
        else:
            port = self._grpc.add_insecure_port("127.0.0.1:0")
        host = "localhost" if safe else "127.0.0.1"
        self.rest = f"http{'s' * safe}://{host}:{self._http.server_address[1]}"
        self.grpc = f"{'grpcs://' * safe}{host}:{port}"

    def __enter__(self) -> ConformanceServer:
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(0)

    # What both interfaces do

    def predict(
        self, spec: Any, inputs: Mapping[str, Any], wanted: list[str], timeout: Any
    ) -> tuple[dict[str, Any], int]:
        version = self.store.version(spec)
        self.asked.append((spec.signature_name, version.version))
        if self.faults:
            raise self.faults.popleft()
        if self.pause:
            self.stopped.wait(self.pause)
        found = version.predict(spec.signature_name, inputs, wanted, timeout)
        return found, version.version

    def status(self, spec: Any) -> Any:
        response = get_model_status_pb2.GetModelStatusResponse()
        for version, state, error in self.store.states(spec):
            one = response.model_version_status.add(version=version, state=state)
            if error:
                one.status.error_code = 2  # UNKNOWN
                one.status.error_message = error
            else:
                one.status.SetInParent()
        return response

    def metadata(self, spec: Any) -> tuple[Any, Any]:
        version = self.store.version(spec)
        chosen = model_pb2.ModelSpec(name=spec.name)
        chosen.version.value = version.version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, one in version.signatures.items():
            signatures.signature_def[name].CopyFrom(one)
        return chosen, signatures


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, or fail their handshake, are part of the tests."""


def _handler(server: ConformanceServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_POST(self) -> None:
            self._answer(self._asked)

        def do_GET(self) -> None:
            self._answer(self._told)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def _answer(self, made: Callable[[bytes], str]) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size)
            try:
                status, answer = 200, made(body).encode()
            except ServingFault as fault:
                status, answer = fault.http, json_tensors.error_answer(fault)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _asked(self, body: bytes) -> str:
            match = ASKED.fullmatch(self.path)
            if match is None:
                raise self._malformed()
            name, version, label, method = match.groups()
            spec = _spec(name, version, label)
            found = json_tensors.parsed(body)
            spec.signature_name = found.get("signature_name", "")
            if method == "classify":
                examples = json_tensors.classify_examples(found)
                loaded = server.store.version(spec)
                return json_tensors.classify_answer(
                    loaded.classify(spec.signature_name, examples)
                )
            signature = spec.signature_name or "serving_default"
            signatures = server.store.version(spec).signatures
            if signature not in signatures:
                raise invalid(
                    f'Serving signature name: "{signature}" not found in signature def'
                )
            infos = dict(signatures[signature].inputs)
            inputs, form = json_tensors.predict_inputs(found, infos)
            outputs, _ = server.predict(spec, inputs, [], 30.0)
            return json_tensors.predict_answer(outputs, form)

        def _told(self, _: bytes) -> str:
            match = TOLD.fullmatch(self.path)
            if match is None:
                raise self._malformed()
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid("Missing model name in request.")
            spec = _spec(name, version, label)

            def text(message: Any) -> str:
                return json_format.MessageToJson(
                    message,
                    always_print_fields_with_no_presence=True,
                    preserving_proto_field_name=True,
                    indent=1,
                )

            if not metadata:
                return text(server.status(spec))
            chosen, signatures = server.metadata(spec)
            return (
                f'{{\n"model_spec":{text(chosen)},\n"metadata": {{"signature_def": '
                f"{text(signatures)}}}\n}}\n"
            )

        def _malformed(self) -> ServingFault:
            if not self.path.lower().startswith("/v1/"):
                return not_found("")
            return invalid(f"Malformed request: {self.command} {self.path}")

    return Handler


def _spec(name: str, version: str | None, label: str | None) -> Any:
    spec = model_pb2.ModelSpec(name=unquote(name))
    if version is not None:
        spec.version.value = int(version)
    elif label is not None:
        spec.version_label = unquote(label)
    return spec


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, request: Any, context: Any) -> Any:
        try:
            return method(self, request, context)
        except ServingFault as fault:
            context.abort(getattr(grpc.StatusCode, fault.code), fault.message)

    return call


class _Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, server: ConformanceServer) -> None:
        self.server = server

    @_guarded
    def Predict(self, request: Any, context: Any) -> Any:
        try:
            inputs = {
                key: tf.make_ndarray(value) for key, value in request.inputs.items()
            }
        except (TypeError, ValueError) as error:
            raise invalid(f"tensor parsing error: {error}") from error
        spec, wanted = request.model_spec, list(request.output_filter)
        left = context.time_remaining()
        found, version = self.server.predict(spec, inputs, wanted, left)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = spec.signature_name or "serving_default"
        for name, value in found.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    @_guarded
    def Classify(self, request: Any, context: Any) -> Any:
        spec, given = request.model_spec, request.input
        loaded = self.server.store.version(spec)
        examples = list(
            getattr(given, given.WhichOneof("kind") or "example_list").examples
        )
        result = loaded.classify(spec.signature_name, examples)
        response = classification_pb2.ClassificationResponse(result=result)
        response.model_spec.name = spec.name
        response.model_spec.version.value = loaded.version
        return response

    @_guarded
    def GetModelMetadata(self, request: Any, context: Any) -> Any:
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid("GetModelMetadataRequest must specify at least one field")
        chosen, signatures = self.server.metadata(request.model_spec)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=chosen)
        response.metadata["signature_def"].Pack(signatures)
        return response


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, server: ConformanceServer) -> None:
        self.server = server

    @_guarded
    def GetModelStatus(self, request: Any, context: Any) -> Any:
        return self.server.status(request.model_spec)


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
