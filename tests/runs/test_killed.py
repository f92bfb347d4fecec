"""Learning that is killed, in processes of its own."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_explainer import runs

ROOT = Path(__file__).resolve().parents[2]
KILLS, EPOCHS = 4, 40


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_as_one_that_was_not(
    images, teacher_file, tmp_path
):
    environment = {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "PYTHONPATH": str(ROOT),
    }

    def start(out: Path) -> subprocess.Popen[str]:
        options = ["--teacher", str(teacher_file), "--tap", "tap", "--target", "high"]
        options += ["--data", str(images), "--filters", "5", "--epochs", str(EPOCHS)]
        options += [
            "--recipe",
            "single",
            "--set",
            "batch_size=6",
            "--set",
            "ordinary_drop=0.3",
        ]
        return subprocess.Popen(
            [sys.executable, "-m", "keras_explainer.cli", "train"]
            + [*options, "--out", str(out), "--resume"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    whole = start(tmp_path / "whole")
    assert whole.wait(600) == 0, whole.stderr.read()
    # Killed within a few epochs, so that some are left, however fast the machine.
    history = runs.RunFolder.open(tmp_path / "whole").history
    longest = 4 * float(np.median([row["seconds"] for row in history]))
    out = tmp_path / "killed"
    moments = random.Random(0)
    killed = 0
    while True:
        process = start(out)
        log = out / "log.csv"
        before = log.read_text() if log.exists() else ""
        while killed < KILLS and process.poll() is None:
            time.sleep(0.01)
            if log.exists() and log.read_text() != before:
                time.sleep(moments.uniform(0, longest))
                process.send_signal(signal.SIGKILL)
                killed += process.wait() == -signal.SIGKILL
                break
        else:
            assert process.wait(600) == 0, process.stderr.read()
            break
    assert killed == KILLS
    runs_of = [runs.RunFolder.open(path) for path in (tmp_path / "whole", out)]
    expected, found = (run.load_explainer().get_weights() for run in runs_of)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert len(runs_of[1].history) == EPOCHS
