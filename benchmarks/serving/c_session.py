"""`CSession`: a SavedModel run through TensorFlow's C API, by ctypes, without Python's.

What a server in C++ does: `TF_LoadSessionFromSavedModel` with the tag `serve`, then
`TF_SessionRun` on the tensors that the signature names.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

_TYPES = {1: "float32", 2: "float64", 3: "int32", 9: "int64", 10: "bool"}
_NUMBERS = {name: number for number, name in _TYPES.items()}
_STRING = 7
_STRING_BYTES = 24
"""Of a `TF_TString`. Its functions are no symbols of the library: read by its layout,
`tensorflow/core/platform/ctstring_internal.h`, on a little-endian machine."""
_SMALL, _LARGE, _OFFSET, _VIEW = range(4)


class _Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def _library() -> ctypes.CDLL:
    """The library of the installed TensorFlow, with the types of what it returns."""
    import tensorflow as tf

    folder = Path(tf.__file__).parent
    ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
    found = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
    pointers = (
        *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_NewBuffer"),
        *("TF_LoadSessionFromSavedModel", "TF_GraphOperationByName"),
        *("TF_AllocateTensor", "TF_TensorData"),
    )
    for name in pointers:
        getattr(found, name).restype = ctypes.c_void_p
    found.TF_Message.restype = ctypes.c_char_p
    for name in ("TF_Dim", "TF_TensorByteSize"):
        getattr(found, name).restype = ctypes.c_int64
    return found


class CSession:
    """Loads a SavedModel.

    Args:
        folder: Of the version.
    """

    def __init__(self, folder: Path) -> None:
        self._c = _library()
        self._graph = ctypes.c_void_p(self._c.TF_NewGraph())
        self._status = ctypes.c_void_p(self._c.TF_NewStatus())
        self._meta = ctypes.c_void_p(self._c.TF_NewBuffer())
        tags = (ctypes.c_char_p * 1)(b"serve")
        session = self._c.TF_LoadSessionFromSavedModel(
            ctypes.c_void_p(self._c.TF_NewSessionOptions()),
            None,
            str(folder).encode(),
            tags,
            1,
            self._graph,
            self._meta,
            self._status,
        )
        self._check()
        self._session = ctypes.c_void_p(session)
        from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

        model = SavedModel()
        model.ParseFromString((folder / "saved_model.pb").read_bytes())
        self.signatures = model.meta_graphs[0].signature_def

    def run(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """What a signature answers.

        Args:
            signature: Its name.
            inputs: Arrays of numbers, or lists of bytes.
        """
        served = self.signatures[signature]
        names = list(served.outputs)
        given = [self._tensor(inputs[name]) for name in served.inputs]
        found = (ctypes.c_void_p * len(names))()
        feeds = self._places([info.name for info in served.inputs.values()])
        fetches = self._places([served.outputs[name].name for name in names])
        self._c.TF_SessionRun(
            self._session,
            None,
            feeds,
            (ctypes.c_void_p * len(given))(*given),
            len(given),
            fetches,
            found,
            len(names),
            None,
            0,
            None,
            self._status,
        )
        self._check()
        return {
            name: self._array(ctypes.c_void_p(tensor))
            for name, tensor in zip(names, found, strict=True)
        }

    def _check(self) -> None:
        if self._c.TF_GetCode(self._status):
            raise RuntimeError(self._c.TF_Message(self._status).decode())

    def _places(self, names: list[str]) -> Any:
        places = (_Output * len(names))()
        for place, name in zip(places, names, strict=True):
            operation, index = name.split(":")
            place.operation = self._c.TF_GraphOperationByName(
                self._graph, operation.encode()
            )
            place.index = int(index)
        return places

    def _tensor(self, value: Any) -> int:
        if isinstance(value, list):
            shape, kind, size = (len(value),), _STRING, _STRING_BYTES * len(value)
        else:
            value = np.ascontiguousarray(value)
            shape, kind, size = value.shape, _NUMBERS[value.dtype.name], value.nbytes
        sides = (ctypes.c_int64 * len(shape))(*shape)
        tensor = self._c.TF_AllocateTensor(
            kind, sides, len(shape), ctypes.c_size_t(size)
        )
        data = self._c.TF_TensorData(ctypes.c_void_p(tensor))
        if kind == _STRING:
            self._texts = [ctypes.create_string_buffer(x, len(x)) for x in value]
            for at, text in enumerate(self._texts):
                sides = (ctypes.c_uint64 * 3).from_address(data + at * _STRING_BYTES)
                size = len(value[at])
                sides[:] = (size << 2 | _VIEW, ctypes.addressof(text), 0)
        else:
            ctypes.memmove(data, value.ctypes.data, size)
        return tensor

    def _array(self, tensor: Any) -> np.ndarray:
        count = self._c.TF_NumDims(tensor)
        shape = [self._c.TF_Dim(tensor, at) for at in range(count)]
        kind = self._c.TF_TensorType(tensor)
        data = self._c.TF_TensorData(tensor)
        if kind != _STRING:
            found = np.empty(shape, _TYPES[kind])
            ctypes.memmove(found.ctypes.data, data, self._c.TF_TensorByteSize(tensor))
            self._c.TF_DeleteTensor(tensor)
            return found
        texts = [_text(data + at * _STRING_BYTES) for at in range(int(np.prod(shape)))]
        return np.array(texts, object).reshape(shape)


def _text(place: int) -> bytes:
    """The content of a `TF_TString` at an address."""
    first = ctypes.c_uint8.from_address(place).value
    kind = first & 3
    if kind == _SMALL:
        return ctypes.string_at(place + 1, first >> 2)
    if kind == _OFFSET:
        size, offset = (ctypes.c_uint32 * 2).from_address(place)
        return ctypes.string_at(place + offset, size >> 2)
    words = (ctypes.c_uint64 * 3).from_address(place)
    return ctypes.string_at(words[2 if kind == _LARGE else 1], words[0] >> 2)
