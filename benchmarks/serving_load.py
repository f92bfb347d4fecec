"""The endpoints of an exported explainer under many callers at a time.

    python -m benchmarks.serving_load [--minutes 20] [--callers 32] [--model FOLDER]

Good and bad requests are mixed, and go to one session that has loaded the SavedModel as
TensorFlow Serving loads it. Each request is answered once before, alone; every answer
under load is compared with that one: a row that is right must be the same, a row that
is wrong must say so, a request that is no request must be refused. Memory is the
process' resident set, read every second. Without --model the shipped explainer of
creatures is exported first. Writes benchmarks/results/serving_load/load.json.
"""

from __future__ import annotations

import argparse
import io
import os
import platform
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# Each refusal would be a line of TensorFlow's on the terminal.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

from keras_explainer.files import write_json

RESULTS = Path(__file__).parent / "results" / "serving_load"
TOLERANCE = 1e-5
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Request:
    """A request, and what it is answered alone.

    Attributes:
        name: Of its kind.
        signature: Endpoint.
        inputs: By name.
        good: Whether there is an answer at all.
        expected: The answer, or the kind of the refusal.
    """

    name: str
    signature: str
    inputs: dict[str, np.ndarray]
    good: bool = True
    expected: Any = None


@dataclass
class Tally:
    """What the callers met, under a lock."""

    lock: Any = field(default_factory=threading.Lock)
    times: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, seconds: float, fault: str | None) -> None:
        """One answer."""
        with self.lock:
            self.times.setdefault(name, []).append(seconds)
            if fault is not None and len(self.wrong) < 100:
                self.wrong.append(f"{name}: {fault}")


class Served:
    """A version in a session: tag `serve`, the tensor names of the signatures."""

    def __init__(self, folder: Path, threads: int) -> None:
        graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
        )
        self.session = tf.compat.v1.Session(graph=graph, config=config)
        with graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(folder))
        self.signatures = meta.signature_def

    def ask(self, request: Request) -> dict[str, np.ndarray]:
        """The outputs of an endpoint."""
        signature = self.signatures[request.signature]
        outputs = {key: info.name for key, info in signature.outputs.items()}
        feed = {
            signature.inputs[key].name: value for key, value in request.inputs.items()
        }
        return self.session.run(outputs, feed)


def encoded(images: np.ndarray) -> np.ndarray:
    """PNG bytes of images, (n,)."""
    found = np.empty(len(images), object)
    for at, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        found[at] = buffer.getvalue()
    return found


def requests(images: np.ndarray, signatures: Any) -> list[Request]:
    """Good and bad ones, of all endpoints."""
    number = images.astype("float32")
    nan, far = number[:3].copy(), number[:3].copy()
    nan[1, 2, 2, 0] = np.nan
    far[2] = 999.0
    broken = encoded(images[:3])
    broken[0], broken[2] = b"no image", broken[2][:80]
    own = np.full(3, -1, "int32")
    made = [
        Request(f"explain, {n} images", "explain", {"images": number[:n]})
        for n in (1, 3, 8)
    ]
    made += [
        Request("another size", "explain", {"images": number[:2, ::2, ::2]}),
        Request("PNG", "explain_jpeg", {"images_bytes": encoded(images[3:6])}),
        Request("part maps", "part_maps", {"images": number[:2]}),
        Request("describe", "describe", {"requests": np.array([b""], object)}),
        Request("bad: NaN in a row", "explain", {"images": nan}),
        Request("bad: values above 255", "explain", {"images": far}),
        Request("bad: no images", "explain_jpeg", {"images_bytes": broken}),
        Request("bad: empty batch", "explain", {"images": number[:0]}),
        Request("bad: no pixels", "explain", {"images": number[:1, :0]}),
    ]
    if "explain_contributions" in signatures:
        name = "explain_contributions"
        inputs = {"images": number[4:7], "class_index": own}
        made.append(Request("contributions", name, inputs))
        other = {**inputs, "class_index": np.array([0, 10**6, -1], "int32")}
        made.append(Request("bad: no such class", name, other))
        short = {**inputs, "class_index": own[:1]}
        made.append(Request("bad: one class for three", name, short, good=False))
    if "classify" in signatures:
        examples = [
            tf.train.Example(
                features=tf.train.Features(
                    feature={
                        "image": tf.train.Feature(
                            bytes_list=tf.train.BytesList(value=[one])
                        )
                    }
                )
            ).SerializeToString()
            for one in encoded(images[:2])
        ]
        made.append(
            Request("classify", "classify", {"inputs": np.array(examples, object)})
        )
        none = np.array([b"no example"], object)
        made.append(
            Request("bad: no example", "classify", {"inputs": none}, good=False)
        )
    return made


def answered(served: Served, request: Request) -> Any:
    """The outputs, or the kind of the refusal."""
    try:
        return served.ask(request)
    except tf.errors.OpError as error:
        return type(error).__name__


def as_named(request: Request) -> bool:
    """Whether the answer to a request alone is of the kind that its name says."""
    found = request.expected
    if isinstance(found, str) or not request.good:
        return isinstance(found, str) and not request.good
    bad = request.name.startswith("bad: ") and request.name != "bad: empty batch"
    return bad == any(found.get("status", np.array([])).tolist())


def fault(found: Any, expected: Any) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    if isinstance(expected, str) or isinstance(found, str):
        if isinstance(expected, str) and isinstance(found, str):
            return None if found == expected else f"{found} instead of {expected}"
        return f"{type(found).__name__} instead of {type(expected).__name__}"
    for name, value in expected.items():
        mine = found[name]
        if mine.shape != value.shape or mine.dtype != value.dtype:
            return f"{name} has {mine.dtype}{mine.shape}"
        if value.dtype.kind != "f":
            if not np.array_equal(mine, value):
                return f"{name} differs"
        elif not np.allclose(mine, value, TOLERANCE, 1e-6, equal_nan=True):
            return f"{name} differs by {np.nanmax(np.abs(mine - value)):.2g}"
    return None


def resident() -> float:
    """The process' memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE / 2**20


def load(
    served: Served, made: list[Request], callers: int, seconds: float
) -> tuple[Tally, list[tuple[float, float]]]:
    """Answers, and (second, MiB) of the memory."""
    tally, memory = Tally(), []
    start = time.monotonic()
    end = start + seconds

    def call(number: int) -> None:
        random = np.random.default_rng(number)
        while time.monotonic() < end:
            request = made[random.integers(len(made))]
            begin = time.perf_counter()
            try:
                wrong = fault(answered(served, request), request.expected)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            tally.add(request.name, time.perf_counter() - begin, wrong)

    threads = [threading.Thread(target=call, args=(one,)) for one in range(callers)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        time.sleep(1.0)
        memory.append((time.monotonic() - start, resident()))
    for thread in threads:
        thread.join()
    return tally, memory


def growth(memory: list[tuple[float, float]], warm_up: float) -> dict[str, float]:
    """Memory after the warm-up: its first and last quarter, and the trend."""
    warm = np.array([one for one in memory if one[0] >= warm_up])
    quarter = max(1, len(warm) // 4)
    first, last = warm[:quarter, 1], warm[-quarter:, 1]
    slope = np.polyfit(warm[:, 0] / 60, warm[:, 1], 1)[0] if len(warm) > 2 else 0.0
    return {
        "first_quarter_mib": float(np.median(first)),
        "last_quarter_mib": float(np.median(last)),
        "growth_mib": float(np.median(last) - np.median(first)),
        "growth_mib_per_minute": float(slope),
        "peak_mib": float(warm[:, 1].max()),
    }


def export(folder: Path) -> Path:
    """The shipped explainer as a SavedModel."""
    import keras_explainer as kx

    return kx.export.saved_model(kx.zoo.load("creatures"), folder / "creatures")


def main() -> None:
    """Prints the table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2, help="of TensorFlow")
    parser.add_argument("--model", type=Path, help="folder of a version")
    parser.add_argument("--json", type=Path, default=RESULTS / "load.json")
    options = parser.parse_args()
    from keras_explainer.datasets.creatures import Creatures

    images = Creatures(96, ["griffin"], seed=7).generate(8).images
    with tempfile.TemporaryDirectory() as place:
        folder = options.model or export(Path(place))
        served = Served(folder, options.threads)
        made = requests(images, served.signatures)
        for request in made:
            request.expected = answered(served, request)
            if not as_named(request):
                raise SystemExit(f"{request.name}, alone: {request.expected}")
        seconds = options.minutes * 60
        tally, memory = load(served, made, options.callers, seconds)
    warm_up = min(120.0, seconds / 4)
    rows = [
        {
            "request": request.name,
            "count": len(times),
            "p50_ms": float(np.percentile(times, 50) * 1000),
            "p99_ms": float(np.percentile(times, 99) * 1000),
        }
        for request in made
        if (times := tally.times.get(request.name, []))
    ]
    count = sum(row["count"] for row in rows)
    result = {
        "callers": options.callers,
        "minutes": options.minutes,
        "tensorflow_threads": options.threads,
        "requests": count,
        "requests_per_second": count / seconds,
        "wrong_answers": len(tally.wrong),
        "first_wrong": tally.wrong[:5],
        "memory": {"warm_up_seconds": warm_up, **growth(memory, warm_up)},
        "rows": rows,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "tensorflow": tf.__version__,
    }
    write_json(options.json, result)
    table = Table(title=f"{options.callers} callers, {options.minutes:g} minutes")
    for name in ("request", "count", "p50 ms", "p99 ms"):
        table.add_column(name, justify="left" if name == "request" else "right")
    for row in rows:
        table.add_row(
            row["request"],
            str(row["count"]),
            f"{row['p50_ms']:.0f}",
            f"{row['p99_ms']:.0f}",
        )
    Console().print(table)
    figures = result["memory"]
    print(
        f"{count} requests, {len(tally.wrong)} wrong; memory after {warm_up:.0f} s: "
        f"{figures['first_quarter_mib']:.0f} MiB, at the end "
        f"{figures['last_quarter_mib']:.0f} MiB."
    )


if __name__ == "__main__":
    main()
