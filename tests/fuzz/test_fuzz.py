"""Hostile files: some hundred of each kind, and every case that was once a fault.

`make fuzz` runs a hundred thousand of them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))
pytest.importorskip("hypothesis")
pytest.importorskip("scipy")
pytest.importorskip("pydantic")

from benchmarks.fuzz.campaign import Tally, run_case, run_cases, write  # noqa: E402
from benchmarks.fuzz.target import Target  # noqa: E402
from benchmarks.fuzz.targets import targets  # noqa: E402
from keras_explainer.errors import DataError  # noqa: E402

pytestmark = [pytest.mark.one_backend, pytest.mark.filterwarnings("ignore")]

TARGETS = targets()
CORPUS = Path(__file__).parent / "corpus"
# A case of a model takes a tenth of a second, one of a text a hundredth.
CASES = {".keras": 12, "run folder": 60}


@pytest.fixture(scope="module")
def target(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("target")
    made = TARGETS[request.param](place)
    folder = place if request.param == "parts.csv" else place / "case"
    folder.mkdir(exist_ok=True)
    return made, folder


def by_name():
    return pytest.mark.parametrize("target", TARGETS, indirect=True, scope="module")


@by_name()
def test_damaged_files_are_read_or_refused(target):
    reader, folder = target
    tally = run_cases(reader, folder, number=1, cases=CASES.get(reader.name, 100))
    assert tally.faults == []
    assert tally.cases and sum(tally.refused.values()) > tally.cases // 4


@by_name()
def test_what_was_once_a_fault_is_none_any_more(target):
    reader, folder = target
    cases = sorted((CORPUS / slug(reader.name)).glob("*"))
    for case in cases:
        files = {
            path.relative_to(case).as_posix(): path.read_bytes()
            for path in case.rglob("*")
            if path.is_file()
        }
        write(files, folder)
        tally = Tally()
        run_case(reader, folder, tally)
        assert tally.cases == 1 and tally.faults == [], case.name


def slug(name: str) -> str:
    """A target's name as a folder's."""
    return "".join(letter for letter in name if letter.isalnum())


class Bad(Target):
    """A reader that does what none may do."""

    name = "bad"
    cases = 10
    megabytes = 32
    seconds = 0.2

    def __init__(self, folder, fault):
        super().__init__(folder)
        self.fault = fault

    def case(self, draw):
        return {"a": b"x"}

    def read(self, folder):
        assert (folder / "a").read_bytes() == b"x"
        self.fault()


def grow():
    np.ones(80 << 20, np.uint8).sum()


def wait():
    time.sleep(0.3)


def fail():
    raise KeyError("x")


def quiet():
    raise DataError(" ")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (grow, "MiB"),
        (wait, "0.3 s"),
        (fail, "KeyError at test_fuzz"),
        (quiet, "letters"),
    ],
)
def test_the_harness_notices_faults(tmp_path, fault, said):
    write({"a": b"x"}, tmp_path)
    tally = Tally()
    run_case(Bad(tmp_path, fault), tmp_path, tally)
    assert said in tally.faults[0]["what"]
    kept = tmp_path / "kept"
    again = run_cases(Bad(tmp_path, fault), tmp_path, 0, 1, kept)
    assert (kept / again.faults[0]["files"] / "a").read_bytes() == b"x"


def test_the_same_number_makes_the_same_cases(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        reader = TARGETS["images"](tmp_path)
        case, seen = reader.case, []
        reader.case = lambda draw, case=case, seen=seen: (
            seen.append(case(draw)) or seen[-1]
        )
        run_cases(reader, tmp_path / name, number=3, cases=20)
        made.append(seen)
    assert made[0] == made[1] and len(made[0]) == 20
