"""Servers that answer what no server of an explainer should."""

from __future__ import annotations

import json

import numpy as np
import pytest
from odd_server import OddServer, answer, ok

from keras_explainer.errors import (
    BadAnswerError,
    MessageTooLargeError,
    RefusedError,
    ServerDownError,
    ServerFaultError,
)
from keras_explainer.serving import Client


@pytest.mark.parametrize(
    ("behave", "error", "match"),
    [
        (ok(b"<html>hello"), BadAnswerError, "no JSON"),
        (ok(b""), BadAnswerError, "no JSON"),
        (ok(b"\xff\xfe\x00"), BadAnswerError, "no JSON"),
        (ok(b"[" * 100_000), BadAnswerError, "no JSON"),
        (ok(b"[1]"), BadAnswerError, "no JSON object but a list"),
        (ok(b"{}"), BadAnswerError, "cannot be read"),
        (ok(b'{"model_version_status": 3}'), BadAnswerError, "cannot be read"),
        (ok(b'{"model_version_status": [{}]}'), BadAnswerError, "cannot be read"),
        (
            lambda c, _: c.sendall(answer(b"<html>", "404 Not Found")),
            RefusedError,
            "REST port",
        ),
        (
            lambda c, _: c.sendall(
                answer(b"", "302 Found", "Location: http://elsewhere\r\n")
            ),
            RefusedError,
            "redirections are not followed",
        ),
        (
            lambda c, _: c.sendall(answer(b"too large", "413 Content Too Large")),
            MessageTooLargeError,
            "too large",
        ),
        (
            lambda c, _: c.sendall(answer(b"{}", "502 Bad Gateway")),
            ServerFaultError,
            "502",
        ),
        (lambda c, _: c.sendall(b"nonsense\r\n\r\n"), ServerDownError, "broke"),
        (lambda c, _: c.sendall(b"HTTP/1.1 200"), ServerDownError, "broke"),
        (
            lambda c, _: c.sendall(answer(b"x" * 100)[:-50]),
            ServerDownError,
            "before the answer was whole",
        ),
        (lambda c, _: None, ServerDownError, "broke"),
    ],
)
def test_answers_that_are_none(behave, error, match):
    with (
        OddServer(behave) as odd,
        Client(f"http://{odd.target}", "small", retries=0, timeout=10) as client,
        pytest.raises(error, match=match),
    ):
        client.status()


CHANGES = {
    "NaN": lambda found: found["p"].__setitem__(0, np.nan),
    "infinite": lambda found: found["part_strengths"].__setitem__((0, 0), np.inf),
    "part_filters are": lambda found: found["part_filters"].__setitem__((0, 0), 99),
    "part_filters": lambda found: found["part_filters"].__setitem__((0, 0), -1),
    "below 0": lambda found: found["part_strengths"].__setitem__((0, 0), -1),
    "outside": lambda found: found["part_positions"].__setitem__((0, 0), 1e4),
    "part_boxes": lambda found: found["part_boxes"].__setitem__((0, 0), -3),
    "p is not": lambda found: found["p"].__setitem__(0, 0.9),
    "lacks scores": lambda found: found.pop("scores"),
    "has more too": lambda found: found.update(more=found["p"]),
    "of type": lambda found: found.update(p=found["p"].astype("float64")),
    "of type int32": lambda found: found.update(scores=found["part_filters"]),
    "of shape": lambda found: found.update(p=found["p"][:2]),
    "shape": lambda found: found.update(scores=found["scores"][:, :2]),
    "class 1 where": lambda found: found["class_index"].__setitem__(0, 1),
    "no text": lambda found: found["part_names"].__setitem__((0, 0), b"\xff\xfe"),
}


@pytest.mark.parametrize("match", list(CHANGES))
def test_values_that_no_explanation_has(match, local, images):
    client = local(version=1)
    transport = client._calls.transport
    predict = transport.predict

    def changed(*arguments):
        found = {key: value.copy() for key, value in predict(*arguments).items()}
        if "p" in found:
            CHANGES[match](found)
        return found

    transport.predict = changed
    with pytest.raises(BadAnswerError, match=match):
        client.explain(images, 0 if "class" in match else None)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda data: data.pop("predictions"), "no 'predictions'"),
        (lambda data: data["predictions"][0].pop("p"), "different outputs"),
        (lambda data: data["predictions"].pop(), "of shape"),
        (lambda data: data["predictions"].__setitem__(1, 3), "different outputs"),
        (lambda data: data.update(predictions={}), "no list of named"),
        (lambda data: data["predictions"][0].update(p="0.3"), "not all of type"),
        (lambda data: data["predictions"][0].update(p=None), "not all of type"),
        (lambda data: data["predictions"][0].update(p=[0.1]), "no array|not all"),
        (lambda data: data["predictions"][0].update(part_present=[1] * 4), "bool"),
        (lambda data: data["predictions"][0].update(part_filters=[0.5] * 4), "int32"),
        (lambda data: data["predictions"][0].update(part_names=[1] * 4), "no text"),
        (lambda data: data["predictions"][0].update(part_names="ear"), "no list"),
        (lambda data: data["predictions"][0]["part_names"].pop(), "different lengths"),
        (
            lambda data: data["predictions"][0].update(part_filters=[2**40] * 4),
            "too large",
        ),
        (lambda data: data["predictions"][0].update(status={"b64": "é"}), "no text"),
    ],
)
def test_json_that_is_no_answer(change, match, server, images, monkeypatch):
    import json_tensors

    written = json_tensors.predict_answer

    def changed(outputs, form):
        text = written(outputs, form)
        if "p" not in outputs:
            return text
        data = json.loads(text)
        change(data)
        return json.dumps(data)

    monkeypatch.setattr(json_tensors, "predict_answer", changed)
    with (
        Client(server.rest, "small", version=1, retries=0) as client,
        pytest.raises(BadAnswerError, match=match),
    ):
        client.explain(images, contributions=None)


def test_one_value_that_fills_a_huge_shape(server, images, monkeypatch):
    import tensorflow as tf

    made = tf.make_tensor_proto

    def huge(value, *settings):
        tensor = made(value, *settings)
        if getattr(value, "dtype", None) == np.float32 and len(value) == 5:
            tensor.tensor_shape.dim[0].size = 2**40
        return tensor

    with Client(server.grpc, "small", version=1, retries=0) as client:
        client.description()
        inputs = tf.make_tensor_proto(images.astype("float32"))
        monkeypatch.setattr(
            tf,
            "make_tensor_proto",
            lambda value, *more: inputs if more and value.ndim == 4 else huge(value),
        )
        with pytest.raises(BadAnswerError, match="have the shape"):
            client.explain(images, contributions=None)


def test_a_description_that_is_none(local, server, images):
    client = local(version=1)
    transport = client._calls.transport
    predict = transport.predict
    for text in (b"", b"[]", b'{"schema_version": 99}', b'{"schema_version": 1}'):
        value = np.array([text], object)
        transport.predict = lambda *_, value=value: {"description": value}
        with pytest.raises(BadAnswerError, match=r"JSON|Expecting|description"):
            client.explain(images)
    transport.predict = predict
    assert client.explain(images)
