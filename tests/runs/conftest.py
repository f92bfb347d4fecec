"""A drawn data set, a small teacher and a learned run, made once."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import drawn_data
import pytest
from compilation import not_compiled

from keras_explainer import runs
from keras_explainer.teachers import Teacher

ROOT = Path(__file__).resolve().parents[2]

RECIPE = {"batch_size": 6, "views": 2, "ordinary_drop": 0.3}
"""Random drop and two views: what a resumed run could get wrong."""

LIGHT = {
    **RECIPE,
    "batch_size": 16,
    "views": 1,
    "views_per_step": 1,
    "equivariance_weight": 0.0,
    "separation_weight": 0.0,
    "warm_start": False,
}
"""A step an epoch, for tests of what happens around learning."""


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_data.write_images(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_data.write_teacher(tmp_path_factory.mktemp("teacher") / "small.keras")


@pytest.fixture(scope="session")
def teacher(teacher_file: Path) -> Teacher:
    return runs.make_teacher(
        teacher_file, tap="tap", targets=["high"], labels=drawn_data.LABELS
    )


@pytest.fixture(scope="session")
def config(images: Path, teacher: Teacher) -> runs.RunConfig:
    return runs.RunConfig(
        teacher=teacher.source,
        data=runs.DataConfig(str(images)),
        explainer=runs.ExplainerConfig(
            filters=5, recipe=runs.resolve_recipe("single", RECIPE)
        ),
        learning=runs.LearningConfig(epochs=3),
    )


@pytest.fixture(scope="session")
def light(config: runs.RunConfig) -> runs.RunConfig:
    """The configuration with steps that take little."""
    recipe = runs.resolve_recipe("single", LIGHT)
    return replace(config, explainer=replace(config.explainer, recipe=recipe))


@pytest.fixture(scope="session")
def run(
    tmp_path_factory: pytest.TempPathFactory, config: runs.RunConfig, teacher: Teacher
) -> runs.RunFolder:
    """A run that was never interrupted."""
    with not_compiled():
        return runs.train(
            tmp_path_factory.mktemp("runs") / "whole", config, teacher=teacher
        )


@pytest.fixture
def eager() -> Iterator[None]:
    """Learns without compiling."""
    with not_compiled():
        yield


@pytest.fixture
def changed(light: runs.RunConfig) -> Callable[..., runs.RunConfig]:
    """The light configuration with some settings of one section changed."""

    def change(section: str, **settings: Any) -> runs.RunConfig:
        part = replace(getattr(light, section), **settings)
        return replace(light, **{section: part})

    return change


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """The slow references of the figures."""
    path = ROOT / "tests" / "reference" / "score.py"
    spec = importlib.util.spec_from_file_location("reference_score", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
