"""`ModelStore`: the models of a `models.config`, as TensorFlow Serving loads them.

Through TensorFlow's C++ session and the loader of sessions, with the tag `serve` and
the tensor names of the signatures, which is the way that the server takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from serving_errors import ServingFault, invalid, not_found
from tensorflow_serving.apis import classification_pb2
from tensorflow_serving.config import model_server_config_pb2

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


class LoadedVersion:
    """A version of a model in a session.

    Args:
        folder: Of the version.
    """

    def __init__(self, name: str, version: int, folder: Path) -> None:
        self.name, self.version = name, version
        graph = tf.Graph()
        threads = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        )
        self.session = tf.compat.v1.Session(graph=graph, config=threads)
        with graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = meta.signature_def

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        wanted: list[str],
        timeout: float | None = None,
    ) -> dict[str, np.ndarray]:
        signature = signature or "serving_default"
        if signature not in self.signatures:
            raise ServingFault(
                "FAILED_PRECONDITION",
                f'Serving signature key "{signature}" not found.',
            )
        one = self.signatures[signature]
        if one.method_name not in (PREDICT, CLASSIFY, REGRESS):
            raise ServingFault(
                "INTERNAL",
                "Expected prediction signature method_name to be one of {"
                f"{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {one.method_name}",
            )
        if len(inputs) != len(one.inputs):
            given, known = set(inputs), set(one.inputs)
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(known)} "
                f"len({{{','.join(sorted(given))}}}) != "
                f"len({{{','.join(sorted(known))}}}). Sent extra: "
                f"{{{','.join(sorted(given - known))}}}. Missing but required: "
                f"{{{','.join(sorted(known - given))}}}."
            )
        for name in inputs:
            if name not in one.inputs:
                raise invalid(
                    f"input tensor alias not found in signature: {name}. Inputs "
                    f"expected to be in the set {{{','.join(sorted(one.inputs))}}}."
                )
        names = wanted or list(one.outputs)
        for name in names:
            if name not in one.outputs:
                raise invalid(f"output tensor alias not found in signature: {name}")
        feed = {one.inputs[key].name: value for key, value in inputs.items()}
        for key, value in inputs.items():
            self._check(key, value, one.inputs[key])
        return self._run({key: one.outputs[key].name for key in names}, feed, timeout)

    def classify(
        self, signature: str, examples: list[Any], timeout: float | None = None
    ) -> Any:
        signature = signature or "serving_default"
        if signature not in self.signatures:
            raise invalid(f"No signature was found with the name: {signature}")
        one = self.signatures[signature]
        if one.method_name != CLASSIFY:
            raise invalid(
                f"Expected classification signature method_name to be {CLASSIFY}. "
                f"Was: {one.method_name}"
            )
        if not examples:
            raise invalid("Input is empty.")
        texts = np.empty(len(examples), object)
        texts[:] = [example.SerializeToString() for example in examples]
        found = self._run(
            {key: info.name for key, info in one.outputs.items()},
            {one.inputs["inputs"].name: texts},
            timeout,
        )
        result = classification_pb2.ClassificationResult()
        for row in range(len(examples)):
            classes = result.classifications.add().classes
            for at in range(found["scores"].shape[1]):
                classes.add(
                    label=found["classes"][row, at].decode(),
                    score=float(found["scores"][row, at]),
                )
        return result

    def _check(self, name: str, value: np.ndarray, info: Any) -> None:
        wanted = tf.dtypes.as_dtype(info.dtype)
        if tf.dtypes.as_dtype(value.dtype if value.dtype != object else "string") != (
            wanted
        ):
            raise invalid(
                f"Expects arg[0] to be {wanted.name} but {value.dtype} is provided"
            )
        dims = [size.size for size in info.tensor_shape.dim]
        if len(dims) != value.ndim or any(
            size not in (-1, given)
            for size, given in zip(dims, value.shape, strict=True)
        ):
            raise invalid(
                f"The input {name} of shape {value.shape} does not fit {dims}"
            )

    def _run(
        self, outputs: dict[str, str], feed: dict[str, Any], timeout: float | None
    ) -> dict[str, np.ndarray]:
        options = tf.compat.v1.RunOptions()
        if timeout is not None:
            options.timeout_in_ms = max(1, int(min(timeout, 1e6) * 1000))
        try:
            found = self.session.run(outputs, feed, options=options)
        except tf.errors.OpError as error:
            raise ServingFault(_code(error), error.message) from error
        return {name: np.asarray(value) for name, value in found.items()}


def _code(error: tf.errors.OpError) -> str:
    from tensorflow.core.protobuf import error_codes_pb2

    return error_codes_pb2.Code.Name(error.error_code)


class ModelStore:
    """All models of a configuration.

    Args:
        config: Text of a `ModelServerConfig`.
        places: {`base_path`: folder}; a path that is not in it is a folder itself.
    """

    def __init__(self, config: str, places: Mapping[str, Path] | None = None) -> None:
        message = model_server_config_pb2.ModelServerConfig()
        text_format.Parse(config, message)
        self.loaded: dict[str, dict[int, LoadedVersion]] = {}
        self.failed: dict[str, dict[int, str]] = {}
        self.labels: dict[str, dict[str, int]] = {}
        for one in message.model_config_list.config:
            base = Path((places or {}).get(one.base_path, one.base_path))
            self.loaded[one.name], self.failed[one.name] = {}, {}
            for version in _aspired(base, one.model_version_policy):
                self._load(one.name, version, base)
            self.labels[one.name] = dict(one.version_labels)

    def _load(self, name: str, version: int, base: Path) -> None:
        try:
            loaded = LoadedVersion(name, version, base / str(version))
        except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
            self.failed[name][version] = str(error)
        else:
            self.loaded[name][version] = loaded

    def unload(self, name: str, version: int) -> None:
        """As the server does when a newer version has come."""
        self.loaded[name].pop(version).session.close()

    def version(self, spec: Any) -> LoadedVersion:
        """What a `ModelSpec` asks for."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            version = self.labels.get(spec.name, {}).get(spec.version_label)
            if version is None:
                raise invalid(
                    f"Unrecognized servable version label: {spec.version_label}"
                )
        elif choice == "version":
            version = spec.version.value
        else:
            known = self.loaded.get(spec.name, {})
            if not known:
                raise not_found(f"Servable not found for request: Latest({spec.name})")
            return known[max(known)]
        found = self.loaded.get(spec.name, {}).get(version)
        if found is None:
            raise not_found(
                f"Servable not found for request: Specific({spec.name}, {version})"
            )
        return found

    def states(self, spec: Any) -> list[tuple[int, str, str]]:
        """(version, state, error) of what a `ModelSpec` asks for."""
        states = [
            (version, "AVAILABLE", "") for version in self.loaded.get(spec.name, {})
        ]
        states += [
            (version, "END", error)
            for version, error in self.failed.get(spec.name, {}).items()
        ]
        if not states:
            raise not_found(f"Could not find any versions of model {spec.name}")
        if spec.WhichOneof("version_choice") == "version":
            wanted = spec.version.value
            states = [one for one in states if one[0] == wanted]
            if not states:
                raise not_found(f"Could not find version {wanted} of model {spec.name}")
        return sorted(states, reverse=True)


def _aspired(base: Path, policy: Any) -> list[int]:
    """The versions that a policy asks for, of folders whose names are numbers."""
    entries = list(base.iterdir()) if base.is_dir() else []
    there = sorted(int(e.name) for e in entries if e.name.isdecimal() and e.is_dir())
    kind = policy.WhichOneof("policy_choice")
    if kind == "specific":
        return [version for version in there if version in policy.specific.versions]
    if kind == "all":
        return there
    return there[-(policy.latest.num_versions or 1) :]
