"""The load benchmark finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from small_teacher import make_images

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))

from benchmarks import serving_load  # noqa: E402


@pytest.fixture(scope="module")
def served(models):
    return serving_load.Served(models / "small" / "1", threads=1)


@pytest.fixture(scope="module")
def asked(served):
    """All kinds of requests, each answered alone."""
    made = serving_load.requests(make_images(8), served.signatures)
    for request in made:
        request.expected = serving_load.answered(served, request)
    return made


@pytest.mark.slow
def test_every_kind_is_answered_as_its_name_says(asked):
    assert len({request.name for request in asked}) == len(asked) >= 15
    for request in asked:
        assert serving_load.as_named(request), request.name


@pytest.mark.slow
def test_callers_meet_nothing_wrong(served, asked):
    tally, memory = serving_load.load(served, asked, callers=4, seconds=1.2)
    assert tally.wrong == []
    assert sum(map(len, tally.times.values())) > 10
    assert memory and all(size > 0 for _, size in memory)


@pytest.mark.slow
def test_a_server_that_mixes_up_its_answers_is_found(served, asked):
    class Mixed:
        def ask(self, request):
            found = served.ask(request)
            if "p" in found:
                found["part_strengths"] = found["part_strengths"][::-1] + 0.01
            return found

    tally, _ = serving_load.load(Mixed(), asked, callers=2, seconds=1.0)
    assert tally.wrong
    assert "part_strengths differs" in tally.wrong[0]


def test_what_is_a_fault():
    good = {"a": np.array([1.0, np.nan], "float32"), "b": np.array([b"x"], object)}
    assert serving_load.fault(good, good) is None
    near = {**good, "a": np.array([1.000001, np.nan], "float32")}
    assert serving_load.fault(near, good) is None
    for changed in (
        {**good, "a": np.array([1.001, np.nan], "float32")},
        {**good, "a": np.array([1.0, 2.0], "float32")},
        {**good, "b": np.array([b"y"], object)},
        {**good, "a": np.array([1.0], "float32")},
        "InvalidArgumentError",
    ):
        assert serving_load.fault(changed, good) is not None
    assert serving_load.fault(good, "InvalidArgumentError") is not None
    assert serving_load.fault("InternalError", "InvalidArgumentError") is not None


def test_growth_of_memory():
    flat = [(float(second), 100.0) for second in range(100)]
    assert serving_load.growth(flat, 10)["growth_mib"] == 0
    grows = [(float(second), 100.0 + second) for second in range(120)]
    found = serving_load.growth(grows, 0)
    assert found["growth_mib_per_minute"] == pytest.approx(60)
    assert found["growth_mib"] == pytest.approx(90)
    assert found["peak_mib"] == 219
