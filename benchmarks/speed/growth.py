"""How time and memory of a learning step grow with each size."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.speed import cases
from benchmarks.speed.machine import alternate_with_rates
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import FeatureSequence
from keras_explainer.datasets.image_array import ImageArray

START = {"batch": 16, "filters": 128, "side": 14, "channels": 384}
SIZES: dict[str, dict[str, int]] = {
    "start": {},
    "batch 4": {"batch": 4},
    "batch 64": {"batch": 64},
    "filters 32": {"filters": 32},
    "filters 512": {"filters": 512},
    "side 7": {"side": 7},
    "side 28": {"side": 28},
    "side 56": {"side": 56, "channels": 64, "filters": 32},
    "side 100": {"side": 100, "channels": 64, "filters": 16, "batch": 4},
    "channels 4096": {"channels": 4096},
}
"""What is other than at the start; the largest maps have fewer filters."""


IMAGES = (256, 1024, 4096)
"""Images of a cache on disk; what stays in memory should not grow with them."""


def measure_images(count: int) -> dict[str, Any]:
    """A cache of so many small images on disk, and an epoch that learns from it."""
    owner = cases.synthetic_teacher(14, 64)
    made = cases.explainer(owner, 32)
    source = ImageArray(cases.images(count, owner.input_shape))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        cache = FeatureCache.build(owner, source, made.views, directory=folder)
        built = time.perf_counter() - start
        sequence = FeatureSequence(cache, 16, 2, shuffle=True)
        made.train_on_batch(*sequence[0])
        start = time.perf_counter()
        for index in range(len(sequence)):
            made.train_on_batch(*sequence[index])
        learned = time.perf_counter() - start
    return {
        "images": count,
        "cache_ms_an_image": 1e3 * built / count,
        "epoch_ms_an_image": 1e3 * learned / count,
        "anonymous_mib": _anonymous(),
    }


def _anonymous() -> float:
    """MiB of this process that are no file's: mapped features are the system's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return int(found["RssAnon"].split()[0]) / 2**10


def measure(name: str, repeats: int) -> dict[str, Any]:
    """A step of that size, in a process of its own, whose peak memory is taken."""
    size = START | SIZES[name]
    owner = cases.synthetic_teacher(size["side"], size["channels"])
    made = cases.explainer(owner, size["filters"])
    data = cases.batch(made, size["batch"])
    for _ in range(2):
        made.train_on_batch(*data)
    # Before the rates are measured, on arrays of their own.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found, rates = alternate_with_rates(
        {"step": lambda: made.train_on_batch(*data)}, repeats
    )
    floor = rates.floor(cases.step_work(made, data))
    return {
        "size": name,
        **size,
        "milliseconds": 1e3 * found["step"],
        "floor_ms": 1e3 * floor,
        "reached": floor / found["step"],
        "peak_mib": peak / 2**10,
    }
