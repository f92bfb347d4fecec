"""The metrics' states merge over the replicas of a distribution strategy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

# In a process of its own: the devices of a process cannot be split later on.
SCRIPT = """
import json, sys
import keras, numpy as np, tensorflow as tf
from keras_explainer.metrics import (
    ConstantAgreement, DeadFilters, ExplainedVariance, TeacherKL, Top1Agreement
)

device = tf.config.LogicalDeviceConfiguration()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [device] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = keras.Sequential([keras.Input((2, 3, 4)), keras.layers.Identity()])
    metrics = [
        ExplainedVariance(), DeadFilters(), ConstantAgreement(), Top1Agreement(),
        TeacherKL(),
    ]
    model.compile(loss="mse", metrics=metrics, jit_compile=False)
data = np.load(sys.argv[1])
for _ in range(2):
    logs = model.evaluate(
        data["y"], data["x"], batch_size=16, verbose=0, return_dict=True
    )
print(json.dumps({"replicas": strategy.num_replicas_in_sync, **logs}))
"""


@pytest.mark.tensorflow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs the TensorFlow backend"
)
def test_two_replicas_give_what_one_gives(reference, tmp_path):
    # 33 images: the second replica's share of the last batch is empty. Its images
    # differ from the first one's, so that means by replica would be wrong.
    rng = np.random.default_rng(0)
    x = 1e3 + rng.normal(0, 1, (33, 2, 3, 4))
    x[np.arange(33) % 16 >= 8] += 3
    y = x + rng.normal(0, 0.5, x.shape)
    y[..., 2] -= 2e3
    x, y = x.astype("float32"), y.astype("float32")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "data.npz")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    logs = json.loads(done.stdout.splitlines()[-1])
    assert logs["replicas"] == 2
    teacher, other = x.reshape(-1, 4), y.reshape(-1, 4)
    answers = teacher.argmax(1)
    expected = {
        "explained_variance": reference.explained_variance(x, y),
        "dead_filters": 0.25,
        "top1_constant": np.bincount(answers).max() / len(answers),
        "top1_agreement": (answers == other.argmax(1)).mean(),
        "kl": reference.kl(teacher, other),
    }
    for name, value in expected.items():
        assert logs[name] == pytest.approx(value, rel=1e-5), name
