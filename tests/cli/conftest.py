"""A drawn data set and a small teacher for the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).resolve().parents[1] / "runs"))

import drawn_data
from compilation import not_compiled

from keras_explainer.cli.main import app

SETTINGS = ["--set", "batch_size=8", "--set", "views=2"]
SETTINGS += ["--recipe", "single", "--filters", "4"]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_data.write_images(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_data.write_teacher(tmp_path_factory.mktemp("teacher") / "small.keras")


@pytest.fixture
def command() -> Iterator[Callable[..., Any]]:
    """Runs a command in this process."""

    def run(*arguments: Any) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    with not_compiled():
        yield run


@pytest.fixture(scope="session")
def train_options(images: Path, teacher_file: Path) -> list[str]:
    return [
        *("--teacher", str(teacher_file), "--tap", "tap", "--target", "high"),
        *("--data", str(images), *SETTINGS),
    ]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, train_options: list[str]) -> Path:
    """A run that the command learned."""
    out = tmp_path_factory.mktemp("runs") / "drawn"
    options = [*train_options, "--epochs", "1", "--out", str(out)]
    with not_compiled():
        done = CliRunner().invoke(app, ["train", *options])
    assert done.exit_code == 0, done.output
    return out
