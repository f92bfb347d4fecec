"""What this machine can do: the rates that floors are made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

REPEATS = 5


def alternate(
    works: dict[str, Callable[[], Any]], repeats: int = REPEATS
) -> dict[str, float]:
    """Median seconds of each work; they take turns, so that others slow all alike.

    In an order that is drawn for each turn: what follows a large copy finds its own
    values no longer in the cache.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    random = np.random.default_rng(0)
    for turn in range(repeats + 1):
        for name in random.permutation(list(works)):
            start = time.perf_counter()
            works[name]()
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


def alternate_with_rates(
    works: dict[str, Callable[[], Any]], repeats: int = REPEATS
) -> tuple[dict[str, float], Rates]:
    """`alternate`, and the machine's rates of the same turns.

    Rates are medians as the times are. The best of a few short products, set against
    the median of long steps, says how far the machine swings.
    """
    probes = _probes()
    named = {f"rate of {name}": probe for name, (_, probe) in probes.items()}
    found = alternate({**works, **named}, repeats)
    rates = {
        name: amount / found.pop(f"rate of {name}")
        for name, (amount, _) in probes.items()
    }
    return found, Rates(**rates)


def _probes() -> dict[str, tuple[float, Callable[[], Any]]]:
    """For each rate its work, and how much that is."""
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

    convolution = 2 * 8 * 28 * 28 * 9 * 256 * 256
    return {
        "conv": (
            convolution,
            lambda: tf.nn.conv2d(image, kernel, 1, "SAME").numpy(),
        ),
        "matmul": (2 * 1536**3, lambda: tf.matmul(left, right).numpy()),
        "memory": (2 * source.nbytes, copy),
        "exponentials": (len(values), lambda: tf.exp(values).numpy()),
    }
