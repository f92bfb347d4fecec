"""TensorFlow Serving's own rules, without the client.

The tests' server must keep them as the real one does; with TF_SERVING_ADDRESS both are
asked. What is asked is at https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import json
import math
import re
import urllib.error
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from compared import png
from real_servers import REAL
from served_models import LABELS, PARTS
from small_teacher import make_images
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

URLS = ["tests", *(one for one in REAL if one.startswith("http://"))]
TARGETS = ["tests", *(one for one in REAL if "://" not in one)]


@pytest.fixture(params=URLS)
def ask(request):
    """`ask(path, body)`: status and text of an answer; GET without a body."""
    address = request.param
    if address == "tests":
        address = request.getfixturevalue("server").rest

    def ask(path, body=None):
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        call = urllib.request.Request(f"{address}/v1/models/{path}", body)
        try:
            with urllib.request.urlopen(call, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return ask


@pytest.fixture(params=TARGETS)
def stubs(request):
    """Of both gRPC services."""
    target = request.param
    if target == "tests":
        target = request.getfixturevalue("server").grpc
    with grpc.insecure_channel(target) as channel:
        yield (
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


IMAGES = make_images(3)
NUMBERS = IMAGES.astype("int64").tolist()
FILES = [png(image) for image in IMAGES]


def test_rows_of_one_input_are_plain_values_or_objects(ask):
    signature = {"signature_name": "explain"}
    status, text = ask("small/versions/1:predict", {**signature, "instances": NUMBERS})
    assert status == 200, text
    rows = json.loads(text)["predictions"]
    assert len(rows) == 3
    assert len(rows[0]["part_filters"]) == PARTS
    assert {type(one) for one in rows[0]["part_present"]} == {bool}
    assert {type(one) for one in rows[0]["part_filters"]} == {int}
    assert {type(one) for one in rows[0]["scores"]} == {float}
    assert rows[0]["status"] == ""
    named = [{"images": one} for one in NUMBERS]
    again = ask("small/versions/1:predict", {**signature, "instances": named})
    assert json.loads(again[1])["predictions"] == rows
    # Without a name: `serving_default`.
    default = ask("small/versions/1:predict", {"instances": NUMBERS})
    assert json.loads(default[1])["predictions"] == rows


def test_columns(ask):
    body = {"signature_name": "explain", "inputs": {"images": NUMBERS}}
    status, text = ask("small/labels/stable:predict", body)
    assert status == 200, text
    found = json.loads(text)["outputs"]
    assert np.shape(found["part_boxes"]) == (3, PARTS, 4)
    plain = ask("small/labels/stable:predict", {**body, "inputs": NUMBERS})
    assert json.loads(plain[1])["outputs"] == found


def test_bytes_and_several_inputs(ask):
    status, text = ask(
        "small/versions/1:predict",
        {
            "signature_name": "explain_contributions_jpeg",
            "instances": [
                {"images_bytes": b64(one), "class_index": at - 1}
                for at, one in enumerate(FILES)
            ],
        },
    )
    assert status == 200, text
    rows = json.loads(text)["predictions"]
    assert [row["class_index"] for row in rows][1:] == [0, 1]
    body = {"signature_name": "explain_jpeg", "instances": [b64(one) for one in FILES]}
    assert ask("small/versions/1:predict", body)[0] == 200
    status, text = ask(
        "small/versions/1:predict",
        {"signature_name": "explain_contributions_jpeg", "instances": [b64(FILES[0])]},
    )
    assert status == 400
    assert "error" in text


def test_nan_is_a_bare_word_and_text_is_text(ask):
    body = {
        "signature_name": "explain_jpeg",
        "instances": [b64(b"none"), b64(FILES[0])],
    }
    status, text = ask("small/versions/1:predict", body)
    assert status == 200, text
    assert re.search(r"\bNaN\b", text)
    first, second = json.loads(text)["predictions"]
    assert math.isnan(first["p"])
    assert first["status"]
    assert second["status"] == ""
    names = {name for row in (first, second) for name in row["part_names"]}
    assert names <= {"", "ear", "nose — right"}
    number = IMAGES[:1].astype(float).tolist()
    number[0][0][0][0] = math.nan
    status, text = ask(
        "small/versions/1:predict",
        json.dumps({"signature_name": "explain", "instances": number}).encode(),
    )
    assert status == 200
    assert json.loads(text)["predictions"][0]["status"]


def test_classify(ask):
    examples = [{"image": b64(one)} for one in FILES]
    body = {"signature_name": "classify", "examples": examples}
    status, text = ask("small/versions/1:classify", body)
    assert status == 200, text
    rows = json.loads(text)["results"]
    assert len(rows) == 3
    for row in rows:
        assert {label for label, _ in row} == set(LABELS)
        scores = [score for _, score in row]
        assert scores == sorted(scores, reverse=True)


def test_status_and_metadata(ask):
    status, text = ask("small")
    assert status == 200
    known = json.loads(text)["model_version_status"]
    assert {one["version"]: one["state"] for one in known} == {
        "1": "AVAILABLE",
        "2": "AVAILABLE",
    }
    assert known[0]["status"] == {"error_code": "OK", "error_message": ""}
    status, text = ask("small/versions/2")
    assert [one["version"] for one in json.loads(text)["model_version_status"]] == ["2"]
    for path, version in (("small", "2"), ("small/labels/stable", "1")):
        status, text = ask(f"{path}/metadata")
        assert status == 200
        found = json.loads(text)
        assert found["model_spec"]["name"] == "small"
        assert found["model_spec"]["version"] == version
        signatures = found["metadata"]["signature_def"]["signature_def"]
        images = signatures["explain"]["inputs"]["images"]
        assert images["dtype"] == "DT_FLOAT"
        sizes = [size["size"] for size in images["tensor_shape"]["dim"]]
        assert sizes == ["-1", "-1", "-1", "3"]
        assert signatures["classify"]["method_name"] == "tensorflow/serving/classify"


EXPLAIN = {"signature_name": "explain"}
REFUSED = [
    ("small/versions/1:predict", b"", 400, "JSON Parse error"),
    ("small/versions/1:predict", b"{", 400, "JSON Parse error"),
    ("small/versions/1:predict", {**EXPLAIN}, 400, "inputs"),
    ("small/versions/1:predict", {**EXPLAIN, "instances": []}, 400, "No values"),
    ("small/versions/1:predict", {**EXPLAIN, "instances": 3}, 400, "list/array"),
    (
        "small/versions/1:predict",
        {**EXPLAIN, "instances": NUMBERS, "inputs": NUMBERS},
        400,
        "only",
    ),
    (
        "small/versions/1:predict",
        {**EXPLAIN, "instances": [{"pictures": NUMBERS[0]}]},
        400,
        "",
    ),
    (
        "small/versions/1:predict",
        {**EXPLAIN, "instances": [NUMBERS[0], NUMBERS[1][:5]]},
        400,
        "Expecting tensor size",
    ),
    (
        "small/versions/1:predict",
        {**EXPLAIN, "instances": [[[["a", "b", "c"]]]]},
        400,
        "not of expected type: float",
    ),
    (
        "small/versions/1:predict",
        {"signature_name": "none", "instances": NUMBERS},
        400,
        "Serving signature",
    ),
    ("small/versions/1:predict", {"signature_name": 3}, 400, "signature_name"),
    (
        "small/versions/1:predict",
        {"signature_name": "explain_jpeg", "instances": [{"b64": "*"}]},
        400,
        "base64",
    ),
    ("small/versions/1:predict", {**EXPLAIN, "instances": [1.0]}, 400, ""),
    ("small/versions/9:predict", {"instances": NUMBERS}, 404, "Servable not found"),
    ("cat:predict", {"instances": NUMBERS}, 404, "Servable not found"),
    (
        "small/labels/beta:predict",
        {"instances": NUMBERS},
        400,
        "Unrecognized servable version label",
    ),
    ("small/versions/x:predict", {"instances": NUMBERS}, 400, "Malformed request"),
    ("cat", None, 404, "Could not find any versions of model cat"),
    ("small/versions/9", None, 404, "Could not find version 9 of model small"),
    ("cat/metadata", None, 404, "Servable not found"),
    ("small/versions/1:classify", {"signature_name": "classify"}, 400, "examples"),
    (
        "small/versions/1:classify",
        {"signature_name": "explain", "examples": [{"image": b64(FILES[0])}]},
        400,
        "classif",
    ),
]


@pytest.mark.parametrize(("path", "body", "status", "words"), REFUSED)
def test_what_is_refused(ask, path, body, status, words):
    found, text = ask(path, body)
    assert (found, words in text) == (status, True), text
    assert re.match(r'\{\s*"error"\s*:', text)


def predict(signature="explain", version=1, label=None, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "small"
    request.model_spec.signature_name = signature
    if label is not None:
        request.model_spec.version_label = label
    else:
        request.model_spec.version.value = version
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def test_grpc(stubs):
    prediction, models = stubs
    images = IMAGES.astype("float32")
    found = prediction.Predict(predict(images=images, label="canary"), timeout=30)
    assert found.model_spec.name == "small"
    assert found.model_spec.version.value == 2
    assert tf.make_ndarray(found.outputs["part_filters"]).shape == (3, PARTS + 1)
    filtered = predict(images=images)
    filtered.output_filter.append("scores")
    assert set(prediction.Predict(filtered, timeout=30).outputs) == {"scores"}
    bad = predict("explain_jpeg", images_bytes=[b"none", FILES[0]])
    found = prediction.Predict(bad, timeout=30)
    assert [bool(one) for one in tf.make_ndarray(found.outputs["status"])] == [
        True,
        False,
    ]

    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "small"
    request.model_spec.version.value = 1
    request.model_spec.signature_name = "classify"
    example = request.input.example_list.examples.add()
    example.features.feature["image"].bytes_list.value.append(FILES[0])
    found = prediction.Classify(request, timeout=30)
    assert len(found.result.classifications[0].classes) == len(LABELS)

    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "small"
    request.metadata_field.append("signature_def")
    found = prediction.GetModelMetadata(request, timeout=30)
    assert found.model_spec.version.value == 2
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert found.metadata["signature_def"].Unpack(signatures)
    assert "explain" in signatures.signature_def

    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "small"
    found = models.GetModelStatus(request, timeout=30)
    states = {one.version: one.state for one in found.model_version_status}
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert states == {1: available, 2: available}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"version": 9}, "NOT_FOUND", "Servable not found"),
        ({"label": "beta"}, "INVALID_ARGUMENT", "Unrecognized servable version label"),
        ({"signature": "none"}, ("FAILED_PRECONDITION", "INVALID_ARGUMENT"), "none"),
        ({"images": IMAGES}, "INVALID_ARGUMENT", ""),
        ({"images": [b"a"]}, "INVALID_ARGUMENT", ""),
        ({"images": np.zeros((1, 4), "float32")}, "INVALID_ARGUMENT", ""),
        ({"more": [1.0]}, "INVALID_ARGUMENT", "input size does not match signature"),
    ],
)
def test_grpc_refusals(stubs, change, code, words):
    request = predict(**{"images": IMAGES.astype("float32"), **change})
    with pytest.raises(grpc.RpcError) as caught:
        stubs[0].Predict(request, timeout=30)
    assert caught.value.code().name in ([code] if isinstance(code, str) else code)
    assert words in caught.value.details()
