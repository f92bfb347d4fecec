"""The benchmark of long runs: growth is seen where there is some."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2]))
pytest.importorskip("tensorflow")

from benchmarks.long_run import WARM_UP, Watch, figures, plot

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_growth_is_seen(slope, tmp_path):
    watch = Watch()
    for epoch in range(40):
        start = 300.0 if epoch < WARM_UP else 0.0  # compiling
        watch.seconds.append(1.0 + start + slope * epoch)
        watch.processor.append(0.8 + start)
        watch.mebibytes.append(900.0 + start + slope * epoch)
        watch.objects.append(10_000)
    found = figures(watch)
    assert found["memory_mib_per_epoch"] == pytest.approx(slope, abs=1e-6)
    grown = found["memory_mib_last_quarter"] - found["memory_mib_first_quarter"]
    assert grown == pytest.approx(27 * slope, abs=1)
    slower = found["seconds_last_quarter"] - found["seconds_first_quarter"]
    assert slower == pytest.approx(27 * slope, abs=1)
    pytest.importorskip("matplotlib")
    plot(watch, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5_000
