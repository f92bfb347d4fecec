"""Learning on a GPU: images a second, and the share of the chip's matmul rate.

    KERAS_BACKEND=jax python -m benchmarks.speed.gpu [--networks VGG16 ...] [--batch 64]

JAX backend, teacher and explainer in bfloat16 (losses and statistics in float32). FLOPs
are those that `python -m benchmarks.speed --rows flops` has counted. The rate of the
chip is measured in the same process. Needs Keras, not TensorFlow. Rows are kept in the
file that the page is filled from.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

from benchmarks.speed import cases
from keras_explainer.files import write_json

RESULTS = Path(__file__).resolve().parents[1] / "results" / "speed" / "rows.json"
POLICY = "mixed_bfloat16"


def seconds_of(work: Callable[[], Any], repeats: int) -> float:
    """Seconds of a run, of `repeats` runs in a row after one to compile."""
    jax.block_until_ready(work())
    start = time.perf_counter()
    for _ in range(repeats):
        last = work()
    jax.block_until_ready(last)
    return (time.perf_counter() - start) / repeats


def matmul_rate(side: int, repeats: int) -> float:
    """FLOP/s of a bfloat16 product of random matrices."""
    keys = jax.random.split(jax.random.key(0))
    left, right = (jax.random.normal(k, (side, side), jnp.bfloat16) for k in keys)
    product = jax.jit(jnp.matmul)
    return 2 * side**3 / seconds_of(lambda: product(left, right), repeats)


def measure(
    network: str, gflop: dict[str, float], rate: float, batch: int, repeats: int
) -> dict[str, Any]:
    """Images (views) a second with and without a cache of the teacher's features."""
    keras.config.set_dtype_policy(POLICY)
    owner = cases.teacher(network)
    made = cases.explainer(owner)
    views = made.recipe.views_per_step
    count = batch * views
    data = cases.batch(made, batch)
    pictures = cases.images(count, owner.input_shape)

    def shaped(values: np.ndarray) -> np.ndarray:
        return values.reshape(batch, views, *values.shape[1:])

    def cached() -> Any:
        return made.train_on_batch(*data)

    def uncached() -> Any:
        tap, targets = owner.extract(pictures, batch_size=count)
        x = {"features": shaped(tap), "boxes": data[0]["boxes"]}
        return made.train_on_batch(
            x, {name: shaped(values) for name, values in targets.items()}
        )

    with_cache, without = (seconds_of(w, repeats) for w in (cached, uncached))
    work = 1e9 * count * (gflop["teacher"] + gflop["step"])
    return {
        "batch": count,
        "cached_images_per_second": count / with_cache,
        "uncached_images_per_second": count / without,
        "cached_share_of_matmul_rate": 1e9 * count * gflop["step"] / with_cache / rate,
        "uncached_share_of_matmul_rate": work / without / rate,
    }


def main() -> None:
    """Measures the networks, prints and keeps their rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(cases.NETWORKS))
    parser.add_argument("--batch", type=int, default=64, help="images of 2 views")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--side", type=int, default=8192, help="of the rate's matrices")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = json.loads(options.json.read_text()) if options.json.exists() else {}
    counted = found.get("rows", {}).get("flops")
    if counted is None:
        parser.error("first: python -m benchmarks.speed --rows flops (any machine)")
    device = jax.devices()[0]
    rate = matmul_rate(options.side, options.repeats)
    print(f"{device.device_kind}: {rate / 1e12:.1f} TFLOP/s of a bfloat16 product")
    for network in options.networks:
        row = measure(
            network,
            counted["gflop_an_image"][network],
            rate,
            options.batch,
            options.repeats,
        )
        row |= {"device": device.device_kind, "matmul_rate": rate}
        print(network, json.dumps(row, indent=1))
        if device.platform != "cpu":
            found.setdefault("gpu", {})[network] = row
            write_json(options.json, found)


if __name__ == "__main__":
    main()
