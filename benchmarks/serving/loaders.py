"""Whether all endpoints say what Keras says, in four loaders, on 64 photographs.

    python -m benchmarks.serving.loaders [--network NAME] [--images N]

Each network is exported, then loaded by `tf.saved_model.load`, by a session with the
tag `serve`, by the C API, and by `saved_model_cli` (`part_maps` of all at once). Each
gets the photographs in batches of 1, 3 and 64, and so does Keras: how far its own
answers differ between batches of 1 and 64 is beside. Contributions are compared on two.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rows import read_rows
from benchmarks.serving.__main__ import RESULTS
from benchmarks.serving.c_session import CSession
from benchmarks.serving.networks import NETWORKS, explainer
from keras_explainer.export import saved_model
from keras_explainer.export.agreement import Agreement
from keras_explainer.export.reference import Reference
from keras_explainer.export.verification import MARGIN, TOLERANCE, signature_inputs
from keras_explainer.files import write_json
from keras_explainer.runs import current_versions

Run = Callable[..., dict[str, np.ndarray]]


def loaded(folder: Path) -> Run:
    """`tf.saved_model.load`."""
    import tensorflow as tf

    program = tf.saved_model.load(str(folder))

    def run(signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        given = {name: tf.constant(value) for name, value in inputs.items()}
        found = program.signatures[signature](**given)
        return {name: value.numpy() for name, value in found.items()}

    return run


def session(folder: Path) -> Run:
    """A session with the tag `serve` and the signature's tensor names."""
    import tensorflow as tf

    opened = tf.compat.v1.Session(graph=tf.Graph())
    with opened.graph.as_default():
        meta = tf.compat.v1.saved_model.load(opened, ["serve"], str(folder))

    def run(signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        served = meta.signature_def[signature]
        feed = {served.inputs[name].name: value for name, value in inputs.items()}
        names = {name: info.name for name, info in served.outputs.items()}
        return opened.run(names, feed)

    return run


def c_api(folder: Path) -> Run:
    """TensorFlow's C API."""
    return CSession(folder).run


def cli(folder: Path) -> Run:
    """`saved_model_cli run`, for arrays of numbers."""

    def run(signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        with tempfile.TemporaryDirectory() as place:
            given = []
            for name, value in inputs.items():
                np.save(f"{place}/{name}-in.npy", value)
                given.append(f"{name}={place}/{name}-in.npy")
            subprocess.run(
                [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
                + ["run", "--dir", str(folder), "--tag_set", "serve"]
                + ["--signature_def", signature, "--outdir", place]
                + ["--inputs", ";".join(given)],
                check=True,
                capture_output=True,
            )
            return {
                file.stem: np.load(file)
                for file in Path(place).glob("*.npy")
                if file.stem == "part_maps"
            }

    return run


BATCHES = (1, 3, 64)
LOADERS = {
    "saved_model.load": loaded,
    "session": session,
    "C API": c_api,
    "saved_model_cli": cli,
}


def agreement(
    run: Run, folder: Path, reference: Reference, batch: int, only: str | None
) -> Agreement:
    """Of all endpoints, asked batch by batch."""
    found = Agreement(reference, MARGIN, TOLERANCE)
    for signature, inputs in reference.requests(signature_inputs(folder)).items():
        if only not in (None, signature):
            continue
        count = len(next(iter(inputs.values())))
        pieces = [
            run(
                signature,
                **{
                    name: list(value[at : at + batch])
                    if value.dtype == object
                    else value[at : at + batch]
                    for name, value in inputs.items()
                },
            )
            for at in range(0, count, batch)
        ]
        answers = {
            name: np.concatenate([piece[name] for piece in pieces])
            for name in pieces[0]
        }
        found.compare(signature, answers)
    return found


def between(
    one: dict[str, dict[str, np.ndarray]], other: dict[str, dict[str, np.ndarray]]
) -> float:
    """By how much Keras' own answers differ between batches of two sizes.

    The largest difference of the teacher's answers, those of the reconstruction and the
    reconstruction itself, over the largest value of each.
    """
    return max(
        float(np.abs(value - other[kind][name]).max() / (np.abs(value).max() or 1.0))
        for kind in ("explain", "reconstruct")
        for name, value in one[kind].items()
    )


def measure(name: str, count: int) -> dict[str, Any]:
    """The row of a network."""
    made, images = explainer(name)
    pixels = images.pixels[:count]
    row: dict[str, Any] = {
        "network": name,
        "images": len(pixels),
        "photographs": images.source == "given",
        "loaders": {},
    }
    with tempfile.TemporaryDirectory() as place:
        folder = saved_model(made, Path(place) / name, images=pixels)
        loaders = {loader: load(folder) for loader, load in LOADERS.items()}
        alone: dict[str, dict[str, np.ndarray]] = {}
        for batch in BATCHES:
            reference = Reference(made, pixels, None, batch)
            row["images_that_tie"] = int((~reference.clear).sum())
            alone = alone or reference.values
            for loader, run in loaders.items():
                small = loader == "saved_model_cli"
                if small and batch < len(pixels):
                    continue
                only = "part_maps" if small else None
                found = agreement(run, folder, reference, batch, only)
                difference, output, accepted = found.largest()
                ties = [
                    figures["ties"]
                    for kinds in found.decisions.values()
                    for figures in kinds.values()
                ]
                told = {
                    "max_difference": difference,
                    "of": output,
                    "accepted": accepted,
                    "wrong": found.faults[0] if found.faults else found.wrong(),
                    "ties": float(np.mean(ties)) if ties else None,
                }
                row["loaders"][f"{loader}, {batch}"] = told
                print(name, loader, batch, told)
    row["keras_between_batches"] = between(alone, reference.values)
    print(name, "Keras between batches", row["keras_between_batches"])
    row["versions"] = current_versions()
    return row


def main() -> None:
    """Measures what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", choices=NETWORKS)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--json", type=Path, default=RESULTS / "loaders.json")
    arguments = parser.parse_args()
    rows = read_rows(arguments.json)
    for name in arguments.network or NETWORKS:
        if not any(row["network"] == name for row in rows):
            rows.append(measure(name, arguments.images))
            write_json(arguments.json, rows)


if __name__ == "__main__":
    main()
