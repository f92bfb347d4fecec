"""Tensors as TensorFlow Serving's REST interface reads and writes them.

From its documentation (https://www.tensorflow.org/tfx/serving/api_rest) and what its
server is known to do with what the documentation leaves open: the checks and the words
of its errors are the server's. Nothing here is shared with the client.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

import numpy as np
from serving_errors import ServingFault, invalid
from tensorflow.core.framework import types_pb2

WHOLE = {"DT_INT32", "DT_INT64", "DT_UINT8"}


def parsed(body: bytes) -> dict[str, Any]:
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "pos", 0)
        raise invalid(f"JSON Parse error: Invalid value. at offset: {at}") from error
    if not isinstance(found, dict):
        raise invalid(f"JSON Value: {json.dumps(found)[:50]} Is not object")
    name = found.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            "JSON Value: … not formatted correctly. 'signature_name' key must be a "
            "string value."
        )
    return found


def predict_inputs(found: dict[str, Any], infos: Any) -> tuple[dict[str, Any], str]:
    """Arrays by input, and the form."""
    if "instances" in found and "inputs" in found:
        raise invalid("Not formatted correctly expecting only one of 'inputs' or …")
    if "instances" in found:
        return _rows(found["instances"], infos), "row"
    if "inputs" in found:
        return _columns(found["inputs"], infos), "column"
    raise invalid("Missing 'inputs' or 'instances' key")


def _rows(instances: Any, infos: Any) -> dict[str, Any]:
    if not isinstance(instances, list):
        raise invalid("Excepting 'instances' to be an list/array")
    if not instances:
        raise invalid("No values in 'instances' array")
    objects = _is_object(instances[0])
    if not objects and len(infos) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    columns: dict[str, list[Any]] = {name: [] for name in infos}
    for number, one in enumerate(instances):
        if _is_object(one) != objects:
            raise invalid(f"Expecting one kind of value at item {number} of input list")
        named = one if objects else {next(iter(infos)): one}
        if set(named) != set(infos):
            raise invalid(
                f"Failed to process element: {number} of 'instances' list. JSON object "
                f"keys must be equal to: {','.join(sorted(infos))}"
            )
        for name, value in named.items():
            array = tensor(value, infos[name])
            if columns[name] and columns[name][0].shape != array.shape:
                raise invalid(
                    f"Failed to process element: {number} key: {name} of 'instances' "
                    f"list. Error: INVALID_ARGUMENT: Expecting tensor size: "
                    f"{columns[name][0].size} but got: {array.size}"
                )
            columns[name].append(array)
    return {
        name: np.stack(values) if values[0].dtype != object else _objects(values)
        for name, values in columns.items()
    }


def _objects(values: list[Any]) -> np.ndarray:
    found = np.empty((len(values), *values[0].shape), object)
    for at, value in enumerate(values):
        found[at] = value if value.shape else value.item()
    return found


def _columns(inputs: Any, infos: Any) -> dict[str, Any]:
    if not _is_object(inputs):
        if len(infos) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        name = next(iter(infos))
        return {name: tensor(inputs, infos[name])}
    for name in infos:
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: tensor(inputs[name], infos[name]) for name in infos}


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_b64(value)


def _is_b64(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"b64"}
        and isinstance(value["b64"], str)
    )


def tensor(value: Any, info: Any) -> np.ndarray:
    """An array of a JSON value: dense, of the kind of the input."""
    kind = types_pb2.DataType.Name(info.dtype)
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    flat: list[Any] = []
    _fill(value, shape, 0, kind, flat)
    if kind == "DT_STRING":
        found = np.empty(len(flat), object)
        found[:] = flat
        return found.reshape(shape)
    dtype = {"DT_FLOAT": "float32", "DT_INT32": "int32", "DT_INT64": "int64"}[kind]
    return np.array(flat, dtype).reshape(shape)


def _fill(value: Any, shape: list[int], level: int, kind: str, flat: list[Any]) -> None:
    if isinstance(value, list):
        if level >= len(shape):
            raise invalid(
                f"Encountered list at unexpected level: {level} expected < {len(shape)}"
            )
        if len(value) != shape[level]:
            raise invalid(
                f"Encountered list at unexpected size: {len(value)} at level: {level} "
                f"expected size: {shape[level]}"
            )
        for one in value:
            _fill(one, shape, level + 1, kind, flat)
        return
    if level != len(shape):
        raise invalid(f"JSON Value: … found at incorrect level: {level + 1}")
    flat.append(_leaf(value, kind))


def _leaf(value: Any, kind: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "DT_STRING":
        if isinstance(value, str):
            return value.encode()
        if _is_b64(value):
            try:
                return base64.b64decode(value["b64"], validate=True)
            except binascii.Error as error:
                raise invalid("Unable to base64 decode") from error
        if isinstance(value, dict):
            raise invalid("JSON Value: … not formatted correctly for base64 data")
    elif kind == "DT_FLOAT" and number:
        if math.isfinite(value) and isinstance(value, int) and abs(value) >= 2**24:
            raise invalid(
                f"Cannot convert JSON value: {value} to float without loss of "
                "precision."
            )
        return float(value)
    elif kind in WHOLE and number and isinstance(value, int) and abs(value) < 2**31:
        return value
    shown = json.dumps(value)[:50]
    raise invalid(f"JSON Value: {shown} is not of expected type: {kind[3:].lower()}")


def predict_answer(outputs: dict[str, np.ndarray], form: str) -> str:
    """The JSON of an answer, as the server lays it out."""
    if form == "column":
        columns = {name: written(name, value) for name, value in outputs.items()}
        inner = _object(columns) if len(columns) > 1 else next(iter(columns.values()))
        return f'{{\n    "outputs": {inner}\n}}'
    sizes = {value.shape[:1] for value in outputs.values()}
    if len(sizes) != 1 or () in sizes:
        raise invalid("Tensor name: … has inconsistent batch size")
    rows = []
    for row in range(next(iter(sizes))[0]):
        one = {name: written(name, value[row]) for name, value in outputs.items()}
        rows.append(_object(one) if len(one) > 1 else next(iter(one.values())))
    return f'{{\n    "predictions": [{", ".join(rows)}\n    ]\n}}'


def _object(named: dict[str, str]) -> str:
    lines = [f'            "{name}": {text}' for name, text in sorted(named.items())]
    return "{\n" + ",\n".join(lines) + "\n        }"


def written(name: str, value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return "[" + ", ".join(written(name, one) for one in value) + "]"
    if isinstance(value, np.ndarray):
        value = value[()]
    if isinstance(value, bytes):
        if name.endswith("_bytes"):
            return json.dumps({"b64": base64.b64encode(value).decode()})
        return json.dumps(value.decode(), ensure_ascii=False)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.integer):
        return str(int(value))
    return decimal(value)


def decimal(value: Any) -> str:
    """A float in digits that give it back, 6 or 9; NaN as a bare word."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    short = f"{float(value):.6g}"
    if type(value)(short) != value:
        short = f"{float(value):.9g}"
    return short if "." in short or "e" in short else short + ".0"


def classify_examples(found: dict[str, Any]) -> list[Any]:
    """`tf.Example`s of a `:classify` request."""
    import tensorflow as tf

    context = found.get("context", {})
    examples = found.get("examples")
    if not isinstance(examples, list):
        raise invalid("When method is classify, key 'examples' is expected")
    if not examples:
        raise invalid("'examples' value is an empty array")
    made = []
    for one in examples:
        if not isinstance(one, dict):
            raise invalid("Example must be JSON object but got JSON …")
        example = tf.train.Example()
        for name, content in {**context, **one}.items():
            feature = example.features.feature[name]
            for value in content if isinstance(content, list) else [content]:
                _add(feature, name, value)
        made.append(example)
    return made


def _add(feature: Any, name: str, value: Any) -> None:
    if isinstance(value, bool | int):
        feature.int64_list.value.append(int(value))
    elif isinstance(value, float):
        feature.float_list.value.append(value)
    elif isinstance(value, str) or _is_b64(value):
        feature.bytes_list.value.append(_leaf(value, "DT_STRING"))
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type")


def classify_answer(result: Any) -> str:
    rows = [
        "["
        + ", ".join(
            f"[{json.dumps(one.label, ensure_ascii=False)}, "
            f"{decimal(np.float32(one.score))}]"
            for one in row.classes
        )
        + "]"
        for row in result.classifications
    ]
    return '{\n    "results": [' + ", ".join(rows) + "\n    ]\n}"


def error_answer(fault: ServingFault) -> bytes:
    """`{ "error": … }` with the message escaped as C does, which is not always JSON."""
    escaped = []
    for byte in fault.message.encode():
        simple = {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 39: "\\'", 92: "\\\\"}
        if byte in simple:
            escaped.append(simple[byte])
        elif byte < 32 or byte > 126:
            escaped.append(f"\\{byte:03o}")
        else:
            escaped.append(chr(byte))
    return f'{{ "error": "{"".join(escaped)}" }}'.encode()
