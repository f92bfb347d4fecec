"""FLOPs of teacher and learning step, counted on TensorFlow for the GPU's accounting.

A FLOP is one on any device: counted here once, read by `benchmarks.speed.gpu`, whose
machine needs no TensorFlow.
"""

from __future__ import annotations

from typing import Any

from benchmarks.speed import cases


def measure(batch: int = 4) -> dict[str, Any]:
    """GFLOP an image and view, by network."""
    found = {}
    for network in cases.NETWORKS:
        owner = cases.teacher(network)
        made = cases.explainer(owner)
        data = cases.batch(made, batch)
        made.train_on_batch(*data)
        count = batch * made.recipe.views_per_step
        teacher = cases.teacher_work(owner, count)
        step = cases.step_work(made, data)
        found[network] = {
            name: (work["conv"] + work["matmul"]) / count / 1e9
            for name, work in (("teacher", teacher), ("step", step))
        }
    return {"gflop_an_image": found}
