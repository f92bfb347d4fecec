"""Learning that is killed at random moments, and what becomes of it.

    python -m benchmarks.killed [--kills 20] [--recipe places] [--folder PLACE]

A run of drawn creatures is learned once without interruption, in a process of its own.
A second one of the same settings is killed (SIGKILL) at random moments, 20 times, and
gone on with in a new process each time. After every kill all that the run folder and
the cache hold must be whole: JSON that parses, a backup that reads, no explainer that
does not load. At the end its weights are compared with those of the first, bit by bit.
Writes benchmarks/results/killed/<recipe>.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import keras_explainer as kx
from keras_explainer import runs
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.errors import KerasExplainerError
from keras_explainer.file_lock import is_locked
from keras_explainer.files import write_json

RESULTS = Path(__file__).parent / "results" / "killed"
SETTINGS = {
    "single": {},
    "places": {"places": 4},
}
QUICKER = {"batch_size": 8, "views": 2}
IMAGES = 24
# Children are forked from a process that has imported everything and computed nothing:
# each starts at once, with a backend of its own.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["keras_explainer.runs", "keras_explainer.zoo"])


def config_of(recipe: str, images: Path, cache: Path, epochs: int) -> dict[str, Any]:
    """What is learned, as `config.json` has it."""
    return runs.RunConfig(
        teacher=kx.zoo.load_teacher("creatures").source,
        data=runs.DataConfig(str(images)),
        explainer=runs.ExplainerConfig(
            filters=8,
            recipe=runs.resolve_recipe(recipe, {**QUICKER, **SETTINGS[recipe]}),
        ),
        learning=runs.LearningConfig(epochs=epochs, cache_dir=str(cache)),
    ).to_dict()


def learn(out: Path, config: dict[str, Any]) -> None:
    """What a process does: begins the run, or goes on with it."""
    runs.train(out, runs.RunConfig.from_dict(config), resume=True)


def locked(process: Any, out: Path) -> bool:
    """Waits until a process holds the run folder; False if it ended before."""
    while process.is_alive():
        if is_locked(out / "lock"):
            return True
        time.sleep(0.005)
    return False


def log_of(out: Path) -> str:
    """The log of the epochs that are done; "" where there is none."""
    log = out / "log.csv"
    return log.read_text() if log.exists() else ""


def changed(process: Any, out: Path, before: str) -> bool:
    """Waits until the log of a run is another; False if the process ended before."""
    while process.is_alive():
        if log_of(out) != before:
            return True
        time.sleep(0.005)
    return False


def ended(process: Any) -> None:
    """Waits for the end of a process, which must be a good one."""
    process.join()
    if process.exitcode:
        raise SystemExit(f"it ended with {process.exitcode}")


def whole(out: Path, cache: Path) -> tuple[str, list[str]]:
    """At which stage a killed run is, and what of it is not whole."""
    broken = []
    for path in [*out.rglob("*.json"), *cache.rglob("*.json")]:
        if path.name.startswith(".tmp-"):
            continue
        try:
            json.loads(path.read_text())
        except ValueError as error:
            broken.append(f"{path.name}: {error}")
    backup, model = out / "backup" / "state.npz", out / "explainer.keras"
    stage = "features"
    if (out / "config.json").exists() and list(cache.rglob("state.json")):
        state = json.loads(next(cache.rglob("state.json")).read_text())
        stage = "features" if state["done"] < state.get("count", IMAGES) else "start"
    if backup.exists():
        try:
            facts = runs.TrainingState.read(backup, runs.RUN_FACTS).facts
            stage = f"epoch {facts['epoch'] + 1}"
        except KerasExplainerError as error:
            broken.append(f"backup: {error}")
    if model.exists():
        stage = "end"
        try:
            keras.saving.load_model(model, compile=False)
        except Exception as error:
            broken.append(f"explainer: {error}")
    return stage, broken


def weights(out: Path) -> list[np.ndarray]:
    """Of the learned explainer, its teacher from the recorded file."""
    return runs.RunFolder.open(out).load_explainer().get_weights()


def main() -> None:
    """Prints what was met and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--recipe", choices=list(SETTINGS), default="places")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="kept, to go on in after a break")
    options = parser.parse_args()
    if options.folder is None:
        with tempfile.TemporaryDirectory() as place:
            result = measured(options, Path(place))
    else:
        options.folder.mkdir(parents=True, exist_ok=True)
        result = measured(options, options.folder)
    write_json(RESULTS / f"{options.recipe}.json", result)
    print(json.dumps(result, indent=1))
    if result["arrays_that_differ"] or result["not_whole"]:
        raise SystemExit("it does not hold")
    if result["kills"] < options.kills:
        raise SystemExit("it came to its end before")


def measured(options: Any, folder: Path) -> dict[str, Any]:
    """Learns twice in a folder, or goes on with that; what was met."""
    images, note = folder / "images", folder / "met.json"
    first, second = folder / "first", folder / "second"
    if not images.exists():
        Creatures(96, ["griffin"], seed=3).write_folder(images, IMAGES, 0)

    def start(out: Path) -> Any:
        cache = folder / f"cache-{out.name}"
        config = config_of(options.recipe, images, cache, options.epochs)
        process = PROCESSES.Process(target=learn, args=(out, config))
        process.start()
        return process

    if note.exists():
        met = json.loads(note.read_text())
    else:
        process = start(first)
        locked(process, first)
        began = time.monotonic()
        changed(process, first, "")
        first_epoch = time.monotonic() - began
        ended(process)
        learning = time.monotonic() - began
        met = {"seconds": learning, "first_epoch": first_epoch, "killed": 0}
        met |= {"stages": {}, "broken": []}
        write_json(note, met)
        print(f"learned without interruption in {learning:.0f} s", flush=True)
    epoch = (met["seconds"] - met["first_epoch"]) / max(1, options.epochs - 1)
    while met["killed"] < options.kills:
        moments = random.Random(f"{options.seed} {met['killed']}")
        process = start(second)
        if not locked(process, second):
            break
        # The first moments and a quarter of the others lie before an epoch is done:
        # images, features, start weights. The others lie in the next few epochs, so
        # that there is something left to be killed.
        early = met["killed"] < options.kills // 5 or moments.random() < 0.25
        if early:
            time.sleep(moments.uniform(0, met["first_epoch"]))
        elif changed(process, second, log_of(second)):
            time.sleep(moments.uniform(0, 0.9 * options.epochs * epoch / options.kills))
        process.kill()
        process.join()
        if process.exitcode != -signal.SIGKILL:
            break
        stage, found = whole(second, folder / "cache-second")
        name = stage.split()[0]
        met["killed"] += 1
        met["stages"][name] = met["stages"].get(name, 0) + 1
        met["broken"] += found
        write_json(note, met)
        print(f"killed {met['killed']}: {stage} {found or ''}", flush=True)
    ended(start(second))
    pairs = list(zip(weights(first), weights(second), strict=True))
    return {
        "recipe": options.recipe,
        "kills": met["killed"],
        "killed_in": dict(sorted(met["stages"].items())),
        "epochs": len(runs.RunFolder.open(second).history),
        "arrays": len(pairs),
        "arrays_that_differ": sum(not np.array_equal(a, b) for a, b in pairs),
        "not_whole": met["broken"],
        "temporary_files_left": len(
            [p for p in second.rglob("*") if p.name.startswith(".tmp-")]
        ),
        "seconds_uninterrupted": round(met["seconds"], 1),
        "seed": options.seed,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "keras": keras.__version__,
    }


if __name__ == "__main__":
    main()
