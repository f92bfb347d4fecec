"""Verifies an export: reloaded in a second process, compared with Keras, recorded."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainer.errors import ExportError
from keras_explainer.export.agreement import Agreement
from keras_explainer.export.precision import Precision
from keras_explainer.export.reference import Reference
from keras_explainer.export.sample_images import SampleImages
from keras_explainer.files import write_json
from keras_explainer.teachers.fingerprint import file_sha256

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer
    from keras_explainer.export.stored_weights import StoredWeights
    from keras_explainer.results import PartNames

TOLERANCE = 1e-5
"""Of continuous outputs, relative to the largest value of each, see `Agreement`."""
MARGIN = 1e-4
"""Of decisions, see `Agreement`."""
RECORD = "export.json"
RECORD_VERSION = 1
_SCRIPT = Path(__file__).with_name("reloaded.py")
_PYTHON = ("PyFunc", "EagerPyFunc", "PyFuncStateless")


def verify(
    folder: Path,
    explainer: Explainer,
    images: SampleImages,
    names: PartNames | None,
    precision: Precision,
    weights: StoredWeights,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """Compares an export with Keras and writes `export.json` into its folder.

    Args:
        folder: The export.
        explainer: What was exported, with its teacher.
        images: On which both are compared.
        names: Of the filters, or None.
        precision: Of the kernels.
        weights: That were stored: the answers are compared with Keras' on the same.
        facts: What else is recorded.

    Returns:
        The record.

    Raises:
        ExportError: The second process fails; an output differs by more than is
            accepted; the graph needs Python.
    """
    with weights.assigned():
        reference = Reference(explainer, images.pixels, names)
        answers, told = _reloaded(folder, reference)
        agreement = _compared(reference, answers)
        if agreement.contributions_differ:
            reference.look_closer()
            agreement = _compared(reference, answers)
    _check(agreement, told)
    rounding = _rounding(reference, precision)
    difference, output, _ = agreement.largest()
    files: dict[str, dict[str, Any]] = {
        file.relative_to(folder).as_posix(): {
            "bytes": file.stat().st_size,
            "sha256": file_sha256(file),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != RECORD
    }
    record = {
        "record_version": RECORD_VERSION,
        **facts,
        "images": images.facts(),
        "tolerance": agreement.tolerance,
        "contributions_tolerance": agreement.shared_tolerance,
        "margin": agreement.margin,
        "rounding": rounding,
        "images_that_tie": int((~reference.clear).sum()),
        "max_difference": difference,
        "max_difference_of": output,
        "differences": agreement.differences,
        "decisions": agreement.decisions,
        "signatures": told["signatures"],
        "reloaded_with": {"tensorflow": told["tensorflow"]},
        "bytes": sum(file["bytes"] for file in files.values()),
        "files": files,
    }
    write_json(folder / RECORD, record)
    return record


def _compared(
    reference: Reference, answers: dict[str, dict[str, np.ndarray]]
) -> Agreement:
    agreement = Agreement(reference, MARGIN, TOLERANCE)
    for signature, found in answers.items():
        agreement.compare(signature, found)
    return agreement


def _reloaded(
    folder: Path, reference: Reference
) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """What the export answers in a process of its own, and what it says of itself."""
    with tempfile.TemporaryDirectory() as place:
        requests, answers, facts = (
            Path(place) / name for name in ("requests.npz", "answers.npz", "facts.json")
        )
        given = reference.requests(signature_inputs(folder))
        arrays: dict[str, Any] = {
            f"{signature}/{name}": _encoded(value)
            for signature, inputs in given.items()
            for name, value in inputs.items()
        }
        np.savez(requests, **arrays)
        paths = [str(path) for path in (folder, requests, answers, facts)]
        done = subprocess.run(
            # Isolated: what it imports is what is installed, not what lies around.
            [sys.executable, "-I", str(_SCRIPT), *paths],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            last = " ".join(done.stderr.strip().splitlines()[-3:])
            raise ExportError(
                "The export cannot be run in a second process (exit status "
                f"{done.returncode}): {last or 'it said nothing'}. Nothing was written."
            )
        found: dict[str, dict[str, np.ndarray]] = {name: {} for name in given}
        with np.load(answers, allow_pickle=False) as file:
            for key in file.files:
                signature, _, name = key.partition("/")
                found[signature][name] = file[key]
        return found, json.loads(facts.read_text(encoding="utf-8"))


def signature_inputs(folder: Path) -> dict[str, set[str]]:
    """{signature: names of its inputs} of a SavedModel."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    model = SavedModel()
    model.ParseFromString((folder / "saved_model.pb").read_bytes())
    return {
        name: set(served.inputs)
        for name, served in model.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }


def _encoded(value: np.ndarray) -> np.ndarray:
    """Texts as base64: NumPy's own cut zeros off their ends."""
    if value.dtype != object:
        return value
    return np.array([base64.b64encode(text) for text in value], "S")


def _rounding(reference: Reference, precision: Precision) -> dict[str, float] | None:
    """How far rounded weights take the answers; None where they were not rounded."""
    if precision.name == "float32":
        return None
    plain = reference.answers()
    found = {}
    for name, value in plain.items():
        away = np.abs(reference.values["explain"][name] - value).max()
        found[name] = float(away / (np.abs(value).max() or 1.0))
    if found.get("scores", 0.0) > precision.rounding:
        raise ExportError(
            f"Weights of {precision.name} change the teacher's scores by "
            f"{found['scores']:.2g} of the largest, {precision.rounding:g} is accepted."
            " Nothing was written."
        )
    return found


def _check(agreement: Agreement, told: dict[str, Any]) -> None:
    python = sorted(set(told["operations"]).intersection(_PYTHON))
    if python:
        raise ExportError(
            f"The graph has {', '.join(python)}: a layer of the teacher computes in "
            "Python, which a server does not have. Nothing was written."
        )
    difference, output, accepted = agreement.largest()
    fault = agreement.faults[0] if agreement.faults else agreement.wrong()
    if fault is None and difference <= accepted:
        return
    fault = fault or (
        f"{output} differs by {difference:.2g} of the largest value, "
        f"{accepted:g} is accepted"
    )
    raise ExportError(
        f"The export does not say what Keras says: {fault.rstrip('.')}. "
        f"({agreement.reference.explainer.teacher.name}, "
        f"{len(agreement.reference.images)} images.) Nothing was written."
    )
