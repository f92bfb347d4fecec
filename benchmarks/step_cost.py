"""What the part masks and the filter loss cost, as a share of a learning step.

    python -m benchmarks.step_cost [--json FILE]

Times the default learning step on random features at MobileNet's tap (14 x 14 x 384),
side by side with the same step without the filter loss, and without masks as well.
Steps of the variants alternate, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import platform
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table

import keras_explainer as kx
from keras_explainer.files import write_json

VARIANTS = ("full", "no filter loss", "no filter loss, no masks")


def explainer(teacher: kx.Teacher, variant: str, filters: int) -> kx.Explainer:
    """An explainer with some of its parts taken out."""
    changes: dict[str, Any] = {} if variant == "full" else {"filter_loss_weight": 0.0}
    made = kx.Explainer(teacher, filters=filters, recipe="single", **changes)
    if variant.endswith("no masks"):
        for layer in (made.encoder.conv_1, made.encoder.conv_2):
            layer.part_mask.call = lambda maps: maps
    made.compile()
    return made


def batch(made: kx.Explainer, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A batch of random features of the default size."""
    random = np.random.default_rng(seed)
    recipe = made.recipe
    lead = (recipe.batch_size, recipe.views_per_step)
    features = np.maximum(random.normal(size=(*lead, *made.tap_shape)), 0)
    targets = {
        name: np.maximum(random.normal(size=(*lead, *shape)), 0).astype("float32")
        for name, shape in made.target_shapes.items()
    }
    boxes = made.views.boxes(0, lead[0])[:, : lead[1]]
    return {"features": features.astype("float32"), "boxes": boxes}, targets


def main() -> None:
    """Prints the table and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filters", type=int, default=128)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    teacher = kx.Teacher.from_applications(
        "MobileNet", alpha=0.75, weights=None, tap="conv_pw_11_relu"
    )
    models = {name: explainer(teacher, name, arguments.filters) for name in VARIANTS}
    data = batch(models["full"], seed=0)
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for step in range(arguments.steps + 2):
        for name, model in models.items():
            start = time.perf_counter()
            model.train_on_batch(*data)
            if step >= 2:
                times[name].append(time.perf_counter() - start)
    median = {name: float(np.median(values)) for name, values in times.items()}
    without = median["no filter loss, no masks"]
    share = 1 - without / median["full"]
    table = Table(
        title=f"A step of {len(data[0]['boxes'])} images, filters "
        f"{arguments.filters}, {keras.backend.backend()}"
    )
    table.add_column("step")
    table.add_column("ms (median)", justify="right")
    for name, value in median.items():
        table.add_row(name, f"{value * 1000:.0f}")
    table.add_row("masks + filter loss", f"{share:.1%} of the full step")
    Console().print(table)
    if arguments.json:
        write_json(
            arguments.json,
            {
                "milliseconds": {k: v * 1000 for k, v in median.items()},
                "share_of_masks_and_filter_loss": share,
                "filters": arguments.filters,
                "steps": arguments.steps,
                "seed": 0,
                "backend": keras.backend.backend(),
                "machine": platform.machine(),
                "keras_explainer": kx.__version__,
            },
        )


if __name__ == "__main__":
    main()
