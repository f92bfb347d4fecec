"""Learning on several devices gives what one device gives.

Scripts of their own: the devices of a process cannot be changed later on.

Tolerance: sums over images are added up in another order, which is 1e-7 of a number,
and learning enlarges that: Adam divides by the size of a gradient, next to nothing or
not; where there are places the decoder starts from eigenvectors and least squares. By
how much is measured: one device learns again from a teacher whose weights were moved
by a rounding (6e-8 of each). Several devices may be off by 1e-4 of the largest of an
array, plus 2e-6, or by ten times what that rounding does (the most of three draws:
where Adam divides next to nothing by next to nothing, one is too small by chance),
which itself is at most 2 %.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "distribution"
ACCURACY = 1e-4
ENLARGED = 10
ROUNDED = ("rounded_0", "rounded_1", "rounded_2")
ONE = ",".join(["one", *ROUNDED])
pytestmark = [pytest.mark.slow, pytest.mark.one_backend]


def start(
    *arguments: Any, script: str = "learn.py", **variables: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, FOLDER / script, *map(str, arguments)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": "tensorflow",
            **variables,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*running: subprocess.Popen[str]) -> None:
    try:
        for process in running:
            errors = process.communicate(timeout=1500)[1]
            assert process.returncode == 0, errors[-3000:]
    finally:
        for process in running:
            process.kill()


def assert_same(folder: Path, several: Path, recipe: str, steps: int) -> None:
    with (
        np.load(folder / f"one-{recipe}.npz") as expected,
        np.load(several) as found,
    ):
        moved = [dict(np.load(folder / f"{name}-{recipe}.npz")) for name in ROUNDED]
        assert all(set(found) == set(one) for one in (expected, *moved))
        assert len(expected["steps"]) == steps
        # A network that had not learned would agree with anything.
        assert np.ptp(expected["steps"]) > 0.01
        for name in expected:
            size = np.abs(np.nan_to_num(expected[name])).max(initial=0)
            changes = [np.nan_to_num(one[name] - expected[name]) for one in moved]
            enlarged = np.abs(changes).max(initial=0)
            assert enlarged < 0.02 * size + 1e-4, f"{name}: nothing could be told"
            assert_close(found[name], expected[name], name, ENLARGED * enlarged)


def assert_close(
    found: np.ndarray,
    expected: np.ndarray,
    name: str,
    enlarged: float = 0.0,
) -> None:
    size = np.abs(np.nan_to_num(expected)).max(initial=0)
    accepted = max(ACCURACY * size + 2e-6, enlarged)
    np.testing.assert_allclose(found, expected, 0, accepted, err_msg=name)


def test_two_devices(tmp_path: Path) -> None:
    """Parts of 4 and 3 images; in the last batch of validation, of 1 and 0."""
    recipes = ["single", "places", "paper"]
    finish(start(tmp_path, f"{ONE},mirrored", ",".join(recipes), "--batch", 7))
    for recipe in recipes:
        assert_same(tmp_path, tmp_path / f"mirrored-{recipe}.npz", recipe, steps=6)


def test_two_workers(tmp_path: Path) -> None:
    """Two processes end with the weights of one, and with the same."""
    recipes = ["single", "places"]
    finish(start(tmp_path, ONE, ",".join(recipes)))
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    running = []
    for index in range(2):
        config = {
            "cluster": {"worker": workers},
            "task": {"type": "worker", "index": index},
        }
        folder = tmp_path / str(index)
        folder.mkdir()
        running.append(
            start(folder, "workers", ",".join(recipes), TF_CONFIG=json.dumps(config))
        )
    finish(*running)
    for recipe in recipes:
        for index in range(2):
            several = tmp_path / str(index) / f"workers-{recipe}.npz"
            assert_same(tmp_path, several, recipe, steps=6)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_data_parallelism_of_jax(tmp_path: Path) -> None:
    recipes = ["single", "places", "paper"]
    finish(
        start(
            tmp_path,
            f"{ONE},data_parallel",
            ",".join(recipes),
            "--epochs",
            1,
            KERAS_BACKEND="jax",
            XLA_FLAGS="--xla_force_host_platform_device_count=2",
        )
    )
    for recipe in recipes:
        several = tmp_path / f"data_parallel-{recipe}.npz"
        assert_same(tmp_path, several, recipe, steps=3)


def test_a_run_goes_on_with_other_devices(tmp_path: Path) -> None:
    """An interrupted run ends with the weights of one that was not."""
    finish(start(tmp_path, script="change_devices.py"))
    with np.load(tmp_path / "whole.npz") as expected:
        for name in ("two_one", "one_two"):
            with np.load(tmp_path / f"{name}.npz") as found:
                assert list(found) == list(expected)
                for weight in expected:
                    assert_close(found[weight], expected[weight], weight)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
