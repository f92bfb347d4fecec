"""What is compared with the equations is compiled as users compile it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from compilation import few_optimizations


@pytest.fixture(scope="module", autouse=True)
def all_optimizations() -> Iterator[None]:
    with few_optimizations(False):
        yield
