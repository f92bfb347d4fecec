"""The filter loss, forward and backward, beside its floor and other ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from benchmarks.speed.machine import alternate
from keras_explainer.losses import FilterLoss
from keras_explainer.losses.part_templates import part_templates


def one_template_at_a_time(maps: Any, temperature: float = 10.0) -> Any:
    """The loss as its equation is read aloud: for each template, over all images."""
    _, height, width, _ = maps.shape
    cells = height * width
    maps = maps * (temperature / ops.mean(maps, axis=(0, 1, 2)))
    patterns = part_templates(height, width).reshape(-1, height, width, 1)
    absent = np.full((1, height, width, 1), -0.5 / cells, "float32")
    patterns = np.concatenate([patterns, absent])
    conditional = []
    for pattern in patterns:
        scores = ops.sum(maps * pattern, axis=(1, 2))
        conditional.append(ops.softmax(scores, axis=0))
    marginal = sum(conditional) / len(patterns)
    information = sum(
        ops.sum(p * (ops.log(p + 1e-30) - ops.log(marginal + 1e-30)), axis=0)
        for p in conditional
    )
    return -ops.mean(information) / len(patterns)


def measure(repeats: int = 9, shape: tuple[int, ...] = (32, 14, 14, 512)) -> dict:
    """Milliseconds of each way, of the floor, and the shares of it that are reached."""
    count, height, width, filters = shape
    cells = height * width
    random = np.random.default_rng(0)
    maps = tf.constant(np.maximum(random.normal(size=shape), 0).astype("float32"))
    ours = FilterLoss()

    def graph(loss: Any) -> Any:
        @tf.function(autograph=False)
        def step(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = loss(x)
            return value, tape.gradient(value, x)

        return lambda: step(maps)[1].numpy()

    templates = tf.constant(part_templates(height, width))
    rows = tf.reshape(tf.transpose(maps, (0, 3, 1, 2)), (-1, cells))
    flat = tf.reshape(maps, (count, cells, filters))
    works = {
        "by hand": graph(ours),
        "autodiff": graph(lambda x: ops.mean(ours.per_filter(x))),
        # The best of two layouts is the floor: rows of a matrix, or a batch of them.
        "product": lambda: tf.matmul(rows, templates).numpy(),
        "batched product": lambda: tf.matmul(templates, flat).numpy(),
        "exponentials": lambda: tf.exp(-flat).numpy(),
    }
    found = alternate(works, repeats)
    # Minutes at this size: fewer filters, and its time grows with them.
    few = 32
    less = maps[..., :few]
    direct = _eager(one_template_at_a_time, less)
    beside = alternate({"direct": direct, "ours": _eager(ours, less)}, 2)
    product = min(found["product"], found["batched product"])
    floor = 2 * product + found["exponentials"]
    return {
        "shape": list(shape),
        "milliseconds": {name: 1e3 * value for name, value in found.items()},
        "floor_ms": 1e3 * floor,
        "reached": {name: floor / found[name] for name in ("by hand", "autodiff")},
        "direct_way": {
            "filters": few,
            "milliseconds": {k: 1e3 * v for k, v in beside.items()},
            "times_as_long": beside["direct"] / beside["ours"],
        },
    }


def _eager(loss: Any, maps: Any) -> Any:
    """Both op by op: tracing the direct way takes longer than running it."""

    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(maps)
            value = loss(maps)
        return tape.gradient(value, maps).numpy()

    return step
