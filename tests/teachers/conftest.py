"""Teachers of all archetypes, each made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import archetypes
import model_state
import pytest
from compilation import zero_initializers

from keras_explainer.teachers import Teacher


@cache
def made(name: str) -> tuple[Teacher, dict[str, Any]]:
    model = model_state.compiled(name)
    before = model_state.state(model)
    teacher = Teacher(
        model,
        archetypes.TAP[name],
        archetypes.TARGETS[name],
        preprocessing=archetypes.PREPROCESSING[name],
    )
    return teacher, before


@pytest.fixture(scope="session")
def teacher_of() -> Callable[[str], Teacher]:
    """A teacher of an archetype, the same in all tests; do not change it."""
    return lambda name: made(name)[0]


@pytest.fixture(scope="session")
def state_before() -> Callable[[str], dict[str, Any]]:
    """The state of that teacher's model before the teacher was made."""
    return lambda name: made(name)[1]


@pytest.fixture(scope="module", autouse=True)
def quick_start() -> Iterator[None]:
    """Less compilation: weights are set by the tests, and models run once or twice."""
    with zero_initializers():
        yield
