"""Teachers of all archetypes, each made once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import archetypes
import pytest

from keras_explainer.teachers import Teacher


@cache
def make_teacher(name: str) -> Teacher:
    return Teacher(
        archetypes.build(name),
        archetypes.TAP[name],
        archetypes.TARGETS[name],
        preprocessing=archetypes.PREPROCESSING[name],
    )


@pytest.fixture(scope="session")
def teacher_of() -> Callable[[str], Teacher]:
    """A teacher of an archetype, the same in all tests; do not change it."""
    return make_teacher
