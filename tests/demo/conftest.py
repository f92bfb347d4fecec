"""Runs a command in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from keras_explainer.cli.main import app


@pytest.fixture
def command() -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run
