"""A long run: does memory or the time of an epoch grow?

    python -m benchmarks.long_run [--epochs 200] [--recipe places] [--images 96]

Learns an explainer of the shipped teacher from drawn creatures by `runs.train`, with
its log, history and backup written after every epoch, and notes after each epoch its
seconds and the process' resident memory. Writes benchmarks/results/long_run: JSON
and a plot.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_explainer as kx
from benchmarks.serving_load import growth, resident
from keras_explainer import runs
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.files import write_json

RESULTS = Path(__file__).parent / "results" / "long_run"
WARM_UP = 5


class Watch(keras.callbacks.Callback):
    """Seconds of each epoch, and memory at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.processor: list[float] = []
        self.mebibytes: list[float] = []
        self.objects: list[int] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._began = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        wall, processor = self._began
        self.seconds.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)
        self.mebibytes.append(resident())
        self.objects.append(len(gc.get_objects()))


def learn(epochs: int, images: int, recipe: str) -> Watch:
    """The whole run, in a folder that is thrown away."""
    watch = Watch()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        Creatures(96, ["griffin"], seed=3).write_folder(folder / "images", images, 0)
        teacher = kx.zoo.load_teacher("creatures")
        config = runs.RunConfig(
            teacher=teacher.source,
            data=runs.DataConfig(str(folder / "images")),
            explainer=runs.ExplainerConfig(
                filters=48, recipe=runs.resolve_recipe(recipe)
            ),
            learning=runs.LearningConfig(
                epochs=epochs, cache_dir=str(folder / "cache")
            ),
        )
        runs.train(folder / "run", config, teacher=teacher, callbacks=[watch])
    return watch


def figures(watch: Watch) -> dict[str, Any]:
    """First against last quarter after the first epochs, and the slopes."""
    epochs = range(len(watch.seconds))
    # `growth` takes (minutes * 60, value): here an epoch is a minute.
    memory = growth([(60.0 * n, watch.mebibytes[n]) for n in epochs], 60.0 * WARM_UP)
    quarter = max(1, (len(watch.seconds) - WARM_UP) // 4)
    found: dict[str, Any] = {
        "memory_mib_first_quarter": memory["first_quarter_mib"],
        "memory_mib_last_quarter": memory["last_quarter_mib"],
        "memory_mib_per_epoch": memory["growth_mib_per_minute"],
    }
    for name in ("seconds", "processor", "objects"):
        values = np.array(getattr(watch, name)[WARM_UP:], float)
        found[f"{name}_first_quarter"] = float(np.median(values[:quarter]))
        found[f"{name}_last_quarter"] = float(np.median(values[-quarter:]))
    return found


def plot(watch: Watch, path: Path) -> None:
    """Memory and processor seconds over epochs."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(7, 5))
    epochs = np.arange(1, len(watch.seconds) + 1)
    above.plot(epochs, watch.mebibytes)
    above.set(ylabel="resident memory, MiB", ylim=(0, 1.2 * max(watch.mebibytes)))
    below.plot(epochs[1:], watch.processor[1:], label="processor")
    below.plot(epochs[1:], watch.seconds[1:], label="clock", alpha=0.5)
    below.set(ylabel="seconds an epoch", xlabel="epoch", ylim=(0, None))
    below.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Prints the figures, writes JSON and plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--recipe", choices=("places", "single"), default="places")
    options = parser.parse_args()
    watch = learn(options.epochs, options.images, options.recipe)
    found = figures(watch)
    RESULTS.mkdir(parents=True, exist_ok=True)
    write_json(
        RESULTS / f"{options.recipe}.json",
        {
            **vars(options),
            **found,
            "seed": 0,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "keras": keras.__version__,
            "memory_mib": [round(value, 1) for value in watch.mebibytes],
            "processor_seconds": [round(value, 3) for value in watch.processor],
        },
    )
    plot(watch, RESULTS / f"{options.recipe}.png")
    for name, value in found.items():
        print(f"{name:28} {value:10.3f}")


if __name__ == "__main__":
    main()
