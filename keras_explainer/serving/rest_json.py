"""Tensors as the JSON of TensorFlow Serving's REST interface, and back.

https://www.tensorflow.org/tfx/serving/api_rest: row form (`instances`, `predictions`)
and column form (`inputs`, `outputs`), bytes as `{"b64": …}`, NaN and infinity as the
bare words that JavaScript has for them.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_explainer.errors import BadAnswerError, one_line
from keras_explainer.serving.model_signature import ModelSignature
from keras_explainer.serving.tensor_spec import TensorSpec

FORMS = ("row", "column")
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What reading JSON of another form ends in."""


def request_body(signature: str, inputs: Mapping[str, np.ndarray], form: str) -> bytes:
    """The body of a `:predict` request.

    Args:
        signature: Name of the endpoint.
        inputs: By name, each with the batch first; text as bytes in an object array.
        form: "row" or "column".
    """
    columns = {name: _listed(value) for name, value in inputs.items()}
    body: dict[str, Any] = {"signature_name": signature}
    if form == "column":
        body["inputs"] = columns
    else:
        body["instances"] = [
            dict(zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
    return json.dumps(body, separators=(",", ":")).encode()


def answer_of(body: bytes) -> Any:
    """The JSON object of an answer.

    Raises:
        BadAnswerError: It is no JSON, or no object.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        shown = body[:60].decode("utf-8", "replace")
        raise BadAnswerError(
            f"The server's answer is no JSON ({error}); it begins with {shown!r}."
        ) from error
    if not isinstance(found, dict):
        raise BadAnswerError(
            f"The server's answer is no JSON object but a {type(found).__name__}."
        )
    return found


def error_message(body: bytes) -> str:
    """What an error says; the text as it is where it is no JSON.

    TensorFlow Serving has escaped messages as C does, which JSON does not read.
    """
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            return " ".join(found["error"].split())
    except (ValueError, RecursionError):
        match = re.search(r'"error"\s*:\s*"(.*)"', text, re.DOTALL)
        if match:
            text = match[1].replace("\\'", "'").replace('\\"', '"').replace("\\n", " ")
    return one_line(text, 500)


def predictions(data: Mapping[str, Any], signature: ModelSignature, form: str) -> Any:
    """The outputs by name, as arrays.

    Raises:
        BadAnswerError: The answer has not the form that was asked for, or not the
            outputs of the endpoint.
    """
    key = "outputs" if form == "column" else "predictions"
    if key not in data:
        raise BadAnswerError(
            f"The server's answer has no '{key}'; it has {sorted(data)[:5]}."
        )
    given, names = data[key], list(signature.outputs)
    if len(names) == 1:
        columns = {names[0]: given}
    elif form == "column":
        columns = given
    else:
        columns = _columns(given)
    if not isinstance(columns, dict):
        raise BadAnswerError(f"The server's answer has no named outputs in '{key}'.")
    # What is not known is left as it is; the check of the signature names it.
    return {
        name: _array(name, value, signature.outputs[name])
        if name in signature.outputs
        else np.empty(0)
        for name, value in columns.items()
    }


def _columns(rows: Any) -> dict[str, list[Any]]:
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise BadAnswerError("The server's 'predictions' are no list of named outputs.")
    names = list(rows[0])
    if any(not isinstance(row, dict) or set(row) != set(names) for row in rows):
        raise BadAnswerError("The rows of the server's answer have different outputs.")
    return {name: [row[name] for row in rows] for name in names}


def _listed(value: np.ndarray) -> Any:
    """Nested lists; numbers that are whole are written so, which is shorter."""
    if value.dtype == object:
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    if value.dtype.kind == "f" and np.isfinite(value).all():
        whole = value.astype("int64") if np.abs(value).max(initial=0) < 2**24 else value
        if np.array_equal(whole, value):
            value = whole
    return value.tolist()


def _array(name: str, value: Any, spec: TensorSpec) -> np.ndarray:
    if spec.kind == "DT_STRING":
        return _texts(name, value, spec)
    try:
        found = np.asarray(value)
    except (ValueError, OverflowError) as error:
        raise BadAnswerError(f"The server's {name} are no array: {error}.") from error
    wanted = spec.dtype
    fits = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[wanted.kind]
    if found.dtype.kind not in fits and found.size:
        raise BadAnswerError(
            f"The server's answer has {name} that are not all of type {wanted}."
        )
    with np.errstate(over="ignore"):
        cast = found.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(cast, found):
        raise BadAnswerError(f"The server's {name} are too large for {wanted}.")
    return cast


def _texts(name: str, value: Any, spec: TensorSpec) -> np.ndarray:
    """Text as bytes in an object array of the text's own nesting."""

    def leaf(one: Any) -> bytes:
        if isinstance(one, str):
            return one.encode("utf-8", "surrogatepass")
        if isinstance(one, dict) and set(one) == {"b64"}:
            try:
                return base64.b64decode(one["b64"], validate=True)
            except (TypeError, ValueError, binascii.Error):
                pass
        raise BadAnswerError(f"The server's answer has {name} that are no text.")

    rank = len(spec.shape) if spec.shape is not None else 1

    def nested(one: Any, left: int) -> Any:
        if not left:
            return leaf(one)
        if not isinstance(one, list):
            raise BadAnswerError(f"The server's {name} are no list of texts.")
        return [nested(entry, left - 1) for entry in one]

    lists = nested(value, rank)
    shape, inner = [], lists
    for _ in range(rank):
        shape.append(len(inner))
        inner = inner[0] if inner else []
    found = np.empty(shape, object)
    flat = _flat(lists, rank)
    if len(flat) != found.size or not _regular(lists, shape):
        raise BadAnswerError(f"The server's {name} have rows of different lengths.")
    found.ravel()[:] = flat
    return found


def _flat(lists: Any, rank: int) -> list[Any]:
    for _ in range(rank - 1):
        lists = [one for entry in lists for one in entry]
    return list(lists)


def _regular(lists: Any, shape: list[int]) -> bool:
    if len(shape) == 1:
        return len(lists) == shape[0]
    return len(lists) == shape[0] and all(_regular(one, shape[1:]) for one in lists)


def classify_body(images: list[bytes]) -> bytes:
    """The body of a `:classify` request, an example for each encoded image."""
    examples = [
        {"image": {"b64": base64.b64encode(image).decode()}} for image in images
    ]
    body = {"signature_name": "classify", "examples": examples}
    return json.dumps(body, separators=(",", ":")).encode()
