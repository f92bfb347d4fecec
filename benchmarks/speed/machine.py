"""What this machine can do: the rates that floors are made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

REPEATS = 5


def best_of(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The shortest of some runs, in seconds, after one to warm up."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def alternate(
    works: dict[str, Callable[[], Any]], repeats: int = REPEATS
) -> dict[str, float]:
    """Median seconds of each work; they take turns, so that others slow all alike."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn:  # the first one compiles
                times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


@dataclass(frozen=True)
class Rates:
    """Measured rates of TensorFlow on this machine.

    Attributes:
        conv: FLOP/s of a 3 x 3 convolution of 28 x 28 x 256.
        matmul: FLOP/s of a product of 1,536 x 1,536 matrices.
        memory: bytes/s of a copy of 256 MiB, read and written bytes both counted.
        exponentials: numbers a second.
    """

    conv: float
    matmul: float
    memory: float
    exponentials: float

    def floor(self, work: dict[str, float]) -> float:
        """Seconds that work takes at least, see `flops.graph_work`."""
        return (
            work.get("conv", 0) / self.conv
            + work.get("matmul", 0) / self.matmul
            + work.get("bytes", 0) / self.memory
        )

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def measured_rates() -> Rates:
    """Measures the rates; about two seconds of an idle machine."""
    import tensorflow as tf

    random = np.random.default_rng(0)

    def tensor(*shape: int) -> Any:
        return tf.constant(random.normal(size=shape).astype("float32"))

    image, kernel = tensor(8, 28, 28, 256), tensor(3, 3, 256, 256)
    left, right = tensor(1536, 1536), tensor(1536, 1536)
    values = tensor(1 << 22)
    source = np.ones(1 << 25, "float32")
    target = np.empty_like(source)
    halves = len(source) // 2

    def copy() -> None:
        np.copyto(target[:halves], source[:halves])
        np.copyto(target[halves:], source[halves:])

    conv = best_of(lambda: tf.nn.conv2d(image, kernel, 1, "SAME").numpy())
    matmul = best_of(lambda: tf.matmul(left, right).numpy())
    exponentials = best_of(lambda: tf.exp(values).numpy())
    memory = best_of(copy)
    return Rates(
        conv=2 * 8 * 28 * 28 * 9 * 256 * 256 / conv,
        matmul=2 * 1536**3 / matmul,
        memory=2 * source.nbytes / memory,
        exponentials=len(values) / exponentials,
    )
