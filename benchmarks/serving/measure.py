"""One network: export it, then time its endpoints in a process of their own."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

BATCHES = (1, 32)


def measure(name: str, calls: int) -> dict[str, Any]:
    """The row of a network.

    Args:
        name: See `networks.NETWORKS`.
        calls: Timed calls of each endpoint with one image; a fifth of them with 32.
    """
    import tensorflow as tf

    from benchmarks.serving.networks import explainer, gflops
    from keras_explainer.export import saved_model

    made, images = explainer(name)
    teacher = made.teacher
    row: dict[str, Any] = {
        "network": name,
        "teacher": teacher.name,
        "tap": teacher.tap,
        "image": list(teacher.input_shape),
        "recipe": made.recipe.name,
        "filters": made.filters,
        "photographs": images.source == "given",
    }
    last = teacher.targets[-1]

    def classification(images: Any) -> dict[str, Any]:
        return dict(teacher.head(teacher.upper(teacher.lower(images))[last]))

    def explanation(images: Any) -> dict[str, Any]:
        tap = teacher.lower(images)
        found = dict(made(tap, training=False))
        found["scores"] = teacher.head(teacher.upper(tap)[last])["outputs"]
        again = teacher.head(found["reconstructions"][last])
        return {**found, "again": again["outputs"]}

    row["gflops"] = {
        "classification": gflops(classification, teacher.input_shape),
        "explain": gflops(explanation, teacher.input_shape),
    }
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        folder = saved_model(made, Path(place) / name, images=images.pixels)
        row["export_seconds"] = round(time.perf_counter() - began, 1)
        record = json.loads((folder / "export.json").read_text())
        weights = sum(
            told["bytes"] for file, told in record["files"].items() if ".data-" in file
        )
        row["max_difference"] = record["max_difference"]
        row["mib"] = round(record["bytes"] / 2**20, 1)
        row["graph_share"] = round(record["bytes"] / weights - 1, 3)
        plain = tf.Module()
        served = tf.function(
            classification,
            [tf.TensorSpec((None, *teacher.input_shape), "float32", "images")],
        ).get_concrete_function()
        plain.weights = list(served.graph.variables)
        tf.saved_model.save(plain, f"{place}/plain", signatures=served)
        np.save(f"{place}/images.npy", images.pixels[:32])
        done = subprocess.run(
            [sys.executable, __file__, str(folder), place, str(calls)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        row |= json.loads(done.stdout.splitlines()[-1])
    return row


def serve(folder: str, place: str, calls: int) -> dict[str, Any]:
    """Times of the endpoints, which take turns, and the memory of this process."""
    import tensorflow as tf

    images = np.load(f"{place}/images.npy")
    plain = tf.saved_model.load(f"{place}/plain")
    start = _peak()
    program = tf.saved_model.load(folder)
    functions: dict[str, Callable[[Any], Any]] = {
        "classification": lambda x: plain.signatures["serving_default"](images=x),
        "explain": lambda x: program.signatures["explain"](images=x),
    }
    if "explain_contributions" in program.signatures:
        functions["explain_contributions"] = lambda x: program.signatures[
            "explain_contributions"
        ](images=x, class_index=tf.fill(tf.shape(x)[:1], -1))
    found: dict[str, Any] = {"batches": {}}
    for batch in BATCHES:
        some = tf.constant(np.resize(images, (batch, *images.shape[1:])))
        times: dict[str, list[float]] = {name: [] for name in functions}
        for function in functions.values():
            function(some)
        repeats = calls if batch == 1 else max(3, calls // 5)
        for _ in range(repeats):
            for name, function in functions.items():
                began = time.perf_counter()
                outputs = function(some)
                next(iter(outputs.values())).numpy()
                times[name].append(time.perf_counter() - began)
        found["batches"][str(batch)] = {
            name: {
                "calls": repeats,
                "p50_ms": round(1e3 * float(np.percentile(values, 50)), 2),
                "p99_ms": round(1e3 * float(np.percentile(values, 99)), 2),
                "images_per_second": round(batch / float(np.median(values)), 1),
                # Pairs that ran one after the other: a busy machine slows both.
                "ratio": round(
                    float(np.median(np.divide(values, times["classification"]))), 2
                ),
            }
            for name, values in times.items()
        }
    found["memory_mib"] = {
        "classification_loaded": round(start),
        "all_endpoints_peak": round(_peak()),
    }
    return found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
