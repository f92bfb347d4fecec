"""Losses, norms and gradients of a batch that two replicas share, against the whole.

`tests/distribution` learns whole explainers; here is each function alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops
from small_teacher import make_images

from keras_explainer import global_batch, runs
from keras_explainer.errors import ConfigError
from keras_explainer.explainer import Explainer

ROOT = Path(__file__).resolve().parents[1]

# In a process of its own: the devices of a process cannot be split later on.
SCRIPT = """
import sys
import keras, numpy as np, tensorflow as tf
from keras_explainer import global_batch
from keras_explainer.layers import ChannelNorm
from keras_explainer.losses import (
    FilterLoss, equivariance_loss, relative_squared_error, separation_loss
)

device = tf.config.LogicalDeviceConfiguration()
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [device] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
data = np.load(sys.argv[1])
maps, boxes = data["maps"], data["boxes"]
losses = {
    "filter": lambda x, _: FilterLoss()(x),
    "paper": lambda x, _: FilterLoss(temperature=None, tau=0.2)(x),
    "odd": lambda x, _: FilterLoss()(x[..., :3]),
    "separation": lambda x, _: separation_loss(x),
    "equivariance": lambda x, b: equivariance_loss(
        tf.reshape(x, (-1, 2, *x.shape[1:])), b
    ),
    "error": lambda x, _: relative_squared_error(x, x**2, 3.0),
    "half": lambda x, _: tf.reduce_sum(
        tf.cast(global_batch.image_mean(tf.cast(x, "float16")), "float32") ** 2
    ),
}

def step(maps, boxes):
    found = {}
    x = tf.reshape(maps, (-1, *maps.shape[2:]))
    for name, loss in losses.items():
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x, boxes)
            mine = global_batch.replica_share(value)
        found[name] = value
        found[name + "/gradient"] = tape.gradient(mine, x)
    found["normed"] = norm(x, training=True)
    before, count = global_batch.own_part(tf.shape(x)[0])
    found["rows"] = tf.range(before, before + tf.shape(x)[0])
    found["count"] = count
    return found

def whole(found):
    parts = [strategy.experimental_local_results(v) for v in found.values()]
    return {
        name: np.concatenate([p.numpy() for p in part]) if part[0].shape.rank
        else np.stack([p.numpy() for p in part])
        for name, part in zip(found, parts)
    }

# An odd number of images: the replicas have unequal parts.
data = tf.data.Dataset.from_tensor_slices((maps, boxes)).batch(len(maps))
with strategy.scope():
    norm = ChannelNorm()
    norm.build((None, *maps.shape[2:]))
for batch in strategy.experimental_distribute_dataset(data):
    two = whole(tf.function(lambda b: strategy.run(step, args=b))(batch))
two["alpha"] = norm.alpha.numpy()
norm = ChannelNorm()
one = {name: np.asarray(v) for name, v in step(tf.constant(maps), boxes).items()}
one["alpha"] = norm.alpha.numpy()
sizes = [len(part) for part in strategy.experimental_local_results(batch[0])]

# One image: the second replica has none.
kernel = tf.ones((1, 1, 4, 3))
def convolved(rows):
    return {"made": tf.nn.conv2d(rows, kernel, 1, "SAME"), "none": None}

def step(rows):
    return global_batch.also_of_no_row(convolved, rows)["made"]

data = tf.data.Dataset.from_tensor_slices(maps[:1, 0]).batch(1)
for batch in strategy.experimental_distribute_dataset(data):
    made = tf.function(lambda b: strategy.run(step, args=(b,)))(batch)
    first, second = (
        part.numpy() for part in strategy.experimental_local_results(made)
    )
np.savez(sys.argv[2], sizes=sizes, **{f"two/{k}": v for k, v in two.items()},
         first=first, second=second, expected=step(tf.constant(maps[:1, 0])),
         **{f"one/{k}": v for k, v in one.items()})
"""


@pytest.mark.tensorflow
def test_two_replicas_compute_what_one_does(tmp_path):
    random = np.random.default_rng(0)
    # The second replica's images have larger maps: means by replica would be wrong.
    maps = (
        random.normal(size=(7, 2, 5, 6, 4))
        * np.linspace(1, 3, 7)[:, None, None, None, None]
    )
    boxes = np.zeros((7, 2, 5))
    boxes[..., :2] = random.uniform(0, 0.2, (7, 2, 2))
    boxes[..., 2:4] = random.uniform(0.6, 0.8, (7, 2, 2))
    np.savez(
        tmp_path / "data.npz",
        maps=np.maximum(maps, 0).astype("float32"),
        boxes=boxes.astype("float32"),
    )
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path / "data.npz", tmp_path / "out.npz"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(tmp_path / "out.npz")
    assert found["sizes"].tolist() == [4, 3]
    names = [name.removeprefix("one/") for name in found if name.startswith("one/")]
    assert len(names) == 18
    for name in names:
        one, two = found[f"one/{name}"], found[f"two/{name}"]
        # float16 sums of 14 rows round in another order.
        accuracy = 2e-3 if name.startswith("half") else 1e-5
        np.testing.assert_allclose(
            two,
            np.broadcast_to(one, two.shape),
            accuracy,
            accuracy * abs(one).max(),
            err_msg=name,
        )
    np.testing.assert_allclose(found["first"], found["expected"], 1e-6)
    assert found["second"].shape == (0, 5, 6, 3)
    # The same number on both replicas, and every image's row once.
    assert found["two/filter"].shape == (2,)
    assert sorted(found["two/rows"]) == list(range(14))


def test_one_device_is_left_alone():
    values = ops.convert_to_tensor(np.arange(6.0, dtype="float32").reshape(3, 2))
    assert global_batch.all_rows(values) is values
    assert global_batch.replica_share(values) is values
    assert global_batch.all_sum([values])[0] is values
    np.testing.assert_allclose(
        ops.convert_to_numpy(global_batch.image_mean(values)), [2, 3]
    )
    assert global_batch.own_part(3) == (0, 3)
    assert global_batch.replicas(keras.Model()) == 1


@pytest.mark.parametrize(
    ("images", "count", "tensorflow", "jax"),
    [
        (8, 2, True, True),
        (7, 2, True, False),
        (5, 4, False, False),  # 2, 2, 1 and 0 images
        (1, 2, False, False),
        (8, 1, True, True),
    ],
)
def test_batches_that_devices_cannot_share(images, count, tensorflow, jax, monkeypatch):
    monkeypatch.setattr(global_batch, "replicas", lambda model: count)
    backend = keras.backend.backend()
    if {"tensorflow": tensorflow, "jax": jax}.get(backend, tensorflow):
        global_batch.check_batch(None, images)
        global_batch.check_pass(None, 2 * images, images)
    else:
        with pytest.raises(ConfigError, match=rf"{images} images .* {count} dev"):
            global_batch.check_batch(None, images)


def test_more_devices_than_images(small_teacher, monkeypatch):
    explainer = Explainer(small_teacher, filters=4, recipe="single", views=2)
    explainer.compile("adam")
    before = explainer.get_weights()
    monkeypatch.setattr(global_batch, "replicas", lambda model: 16)
    with pytest.raises(ConfigError, match=r"batch_size .* of 16"):
        explainer.fit(make_images(24), batch_size=8, verbose=0)
    for mine, theirs in zip(explainer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    if keras.backend.backend() == "jax":
        with pytest.raises(ConfigError, match="5 images in batches of 4"):
            explainer.predict(make_images(5), batch_size=4, verbose=0)


@pytest.mark.tensorflow
def test_several_workers_write_no_run_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(global_batch, "_has_workers", lambda strategy: True)
    data = runs.DataConfig("images")
    with pytest.raises(ConfigError, match=r"several workers cannot write.*fit"):
        runs.train(tmp_path / "run", runs.RunConfig(None, data))
    with pytest.raises(ConfigError, match=r"several workers cannot write.*fit"):
        runs.resume(tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.tensorflow
def test_an_optimizer_made_outside_of_the_scope(small_teacher):
    import tensorflow as tf

    strategy = tf.distribute.OneDeviceStrategy("cpu:0")
    with strategy.scope():
        explainer = Explainer(small_teacher, filters=4, recipe="single")
        inside = keras.optimizers.SGD()
    with pytest.raises(ConfigError, match=r"the same strategy.*strategy\.scope"):
        explainer.compile(keras.optimizers.SGD())
    explainer.compile(inside)
    explainer.compile("sgd")  # made for the explainer, wherever that is said
