"""The simulation of a cluster, and what watches a job."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.dataset import plot
from benchmarks.dataset.cluster import Setting, simulate
from benchmarks.dataset.measure import POINTS, course
from benchmarks.dataset.process_tree import ProcessTree

pytestmark = pytest.mark.one_backend
PLAIN = Setting(
    images=1000,
    workers=1,
    rows_per_part=100,
    image_seconds=0.1,
    task_seconds=0.0,
    start_seconds=0.0,
    driver_seconds=0.0,
    spread=0.0,
    losses_per_hour=0.0,
)


def test_without_any_loss_the_time_is_that_of_the_longest_worker():
    assert simulate(PLAIN, 0)["seconds"] == pytest.approx(100.0)
    # Ten shards of 10 s: three workers take four, three and three.
    found = simulate(replace(PLAIN, workers=3), 0)
    assert found["seconds"] == pytest.approx(40.0)
    assert found["core_seconds"] == pytest.approx(120.0)
    # A shard cannot be split: more workers than shards do not help.
    assert simulate(replace(PLAIN, workers=50), 0)["seconds"] == pytest.approx(10.0)
    found = simulate(replace(PLAIN, images=1030, task_seconds=2.0), 0)
    assert found["seconds"] == pytest.approx(103.0 + 11 * 2.0)


def test_a_driver_that_hands_out_slowly_is_the_limit():
    slow = replace(PLAIN, workers=10, driver_seconds=5.0)
    assert simulate(slow, 0)["seconds"] == pytest.approx(10 * 5.0 + 10.0)


def test_the_course_of_a_job():
    """Eighty part files of 10 rows, one a second; memory grows by 1 MiB a second."""
    parts = [(float(at + 1), 10) for at in range(80)]
    memory = [(0.5 * at, 100 + 0.5 * at) for at in range(200)]
    found = course(parts, memory)
    assert len(found) == POINTS - 1
    assert found[0] == {
        "seconds": 4.0,
        "images": 40,
        "images_per_second": 10.0,
        "mib": 104,
    }
    assert found[-1]["images"] == 800 and found[-1]["mib"] == 180
    assert course(parts[:1], memory) == []
    assert course(parts[:3], [(9.0, 7.0)])[-1]["mib"] == 7


def test_a_long_job_is_drawn(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    key = {"model": "MobileNet", "engine": "local", "count": 50_000, "workers": 2}
    row = {"key": {**key, "images": "photographs", "rows_per_part": 10}}
    row["course"] = course([(float(at), 10) for at in range(1, 81)], [(1.0, 99.0)])
    assert plot.name(row) == "dataset_mobilenet_local_50000.png"
    plot.draw(row, tmp_path / "there" / plot.name(row))
    data = (tmp_path / "there" / plot.name(row)).read_bytes()
    assert data.startswith(b"\x89PNG")


def test_the_course_is_drawn_in_steps_of_several_part_files():
    given = [
        {"seconds": 10.0 + 2 * at, "images": 100 * at, "mib": 5 + at % 3}
        for at in range(8)
    ]
    given[5]["seconds"] = 19.0  # one part file a second early
    found = plot.merged(given, 300)
    assert [point["images"] for point in found] == [300, 600]
    assert [point["images_per_second"] for point in found] == [50.0, 50.0]
    assert [point["mib"] for point in found] == [7, 7]
    assert plot.merged(given[:2], 300) == []


def test_what_is_lost_is_done_again():
    lossy = replace(PLAIN, images=10_000, workers=4, losses_per_hour=60.0)
    found = simulate(lossy, 0)
    assert found["repeated_images"] > 0
    assert found["repeated_images"] % 100 == 0
    assert found["seconds"] > lossy.images * 0.1 / 4
    assert simulate(lossy, 0) == found
    assert simulate(lossy, 1) != found


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no /proc")
def test_time_and_memory_of_children_count():
    code = (
        "import subprocess, sys, time\n"
        "inner = 'x = bytearray(80 << 20)\\nx[::4096] = bytes(len(x[::4096]))\\n"
        "import time\\nend = time.process_time() + 0.5\\n"
        "while time.process_time() < end: pass\\ninput()'\n"
        "child = subprocess.Popen([sys.executable, '-c', inner], stdin=0)\n"
        "child.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    with ProcessTree([process.pid], every=0.05) as tree:
        for _ in range(600):
            if tree.samples[-1].cpu > 0.5:
                break
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        process.communicate(b"\n")
    assert max(sample.mib for sample in tree.samples) > 80
    assert max(sample.largest for sample in tree.samples) > 80
    first, last = tree.between(tree.samples[0].at, tree.samples[-1].at)
    assert 0.5 <= last.cpu - first.cpu < 30
    assert last.machine - first.machine >= 0.5
    assert os.getpid() not in tree.roots
