"""Run folders: configuration, split, log, figures, names and backup, damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzz.json_text import json_text
from benchmarks.fuzz.mutations import Draw, mutated_bytes, mutated_tree
from benchmarks.fuzz.target import Files, Target
from keras_explainer import runs
from keras_explainer.datasets import ImageFolder
from keras_explainer.errors import KerasExplainerError
from keras_explainer.results import PartNames


class RunFolders(Target):
    """`RunFolder`: opened to read, opened to go on, its backup read."""

    name = "run folder"
    cases = 5_000
    chunk = 1_250
    megabytes = 256
    seconds = 10.0
    fresh = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.files = _whole(folder / "whole")
        self.trees = {
            name: json.loads(data)
            for name, data in self.files.items()
            if name.endswith(".json")
        }

    def case(self, draw: Draw) -> Files:
        """A whole run folder with one or two of its files damaged or gone."""
        found = dict(self.files)
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(["config.json", *sorted(self.files)]))
            if draw(st.integers(0, 15)) == 0:
                found.pop(name, None)
            elif name in self.trees and draw(st.integers(0, 3)):
                found[name] = json_text(mutated_tree(draw, self.trees[name]))
            elif name in found:
                found[name] = mutated_bytes(draw, found[name])
        return found

    def read(self, folder: Path) -> None:
        """Everything that a command reads of a run before it looks at images."""
        problems = []
        for step in (_opened, _resumed, _backup):
            try:
                step(folder)
            except KerasExplainerError as error:
                problems.append(error)
        if (folder / "lock").exists():
            raise AssertionError("the lock stayed")
        if problems:
            raise problems[0]


def _opened(folder: Path) -> None:
    run = runs.RunFolder.open(folder)
    _ = run.metrics, run.part_names, run.split
    [row["epoch"] for row in run.history]
    run.config.differences(run.config)
    run.image_folder((4, 4))


def _resumed(folder: Path) -> None:
    with runs.RunFolder.reopen(folder) as run:
        _ = run.config.epochs, run.config.batch_size


def _backup(folder: Path) -> None:
    state = runs.TrainingState.read(folder / "backup" / "state.npz", runs.RUN_FACTS)
    if not isinstance(state.facts["rows"], list):
        raise AssertionError("rows that are no list")
    int(state.facts["epoch"])


def _whole(folder: Path) -> Files:
    """The files of a complete run, written by the package itself."""
    images = folder.parent / "images"
    images.mkdir(parents=True, exist_ok=True)
    for number in range(6):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(images / f"{number}.png")
    config = runs.RunConfig(
        teacher={
            "kind": "file",
            "path": "/nowhere/teacher.keras",
            "sha256": "0" * 64,
            "input_shape": None,
            "preprocessing": "unit",
            "tap": "tap",
            "targets": ["high"],
        },
        data=runs.DataConfig(str(images)),
        explainer=runs.ExplainerConfig(filters=3, recipe=runs.resolve_recipe("single")),
        learning=runs.LearningConfig(epochs=2),
        status="complete",
    )
    split = ImageFolder(images, image_size=(4, 4)).split_record()
    with runs.RunFolder.create(folder, config, overwrite=True) as run:
        run.write_split(split)
        rows = [{"epoch": n, "seconds": 0.1, "loss": 1.0 / n} for n in (1, 2)]
        run.write_history(rows)
        run.write_metrics({"schema_version": 1, "images": 4})
        run.write_part_names(PartNames.by_hand({0: "head", 2: "tail"}, filters=3))
        values = [np.zeros((2, 3), "float32"), np.arange(4)]
        facts = {"epoch": 2, "rows": rows, "early_stop": None}
        runs.TrainingState(values, values, facts).write(run.backup)
    (folder / "explainer.keras").write_bytes(b"not looked at here")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }
