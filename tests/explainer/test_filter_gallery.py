"""The TensorBoard callback, during `fit`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from quick import learned, made

import keras_explainer as kx
from keras_explainer.errors import ConfigError, DataError

pytest.importorskip("tensorboard")
pytestmark = pytest.mark.tensorflow


def logged(folder):
    """{tag: {step: value}}; of a picture its (height, width)."""
    import tensorflow as tf

    found: dict[str, dict[int, object]] = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                array = tf.make_ndarray(value.tensor)
                if value.metadata.plugin_data.plugin_name == "images":
                    array = tf.io.decode_image(array[2]).numpy()
                found.setdefault(value.tag, {})[event.step] = array
    return found


def test_it_logs(small_teacher, images, tmp_path):
    gallery = kx.callbacks.FilterGallery(
        tmp_path, images, every=2, filters=[5, 0], columns=3, side=64
    )
    explainer = learned(
        small_teacher, images, fit={"epochs": 4, "callbacks": [gallery]}
    )
    found = logged(tmp_path)
    assert list(found["explainer/p"]) == [0, 1, 2, 3]
    assert found["explainer/p"][3] == pytest.approx(explainer.share)
    assert list(found["explainer/dead_share"]) == [0, 2, 3]  # the last, too
    assert set(found) == {
        "explainer/p",
        "explainer/dead_share",
        "explainer/groups",
        "filters/000",
        "filters/005",
    }
    summary = kx.explanation.summarize(explainer, images, top=3, verbose=0)
    for filter in (0, 5):
        picture = found[f"filters/{filter:03}"][3]
        assert picture.shape == (48, 3 * 68 - 4, 3)
        tops = len(summary.filter(filter).top)
        for column in range(3):
            tile = picture[:, column * 68 : column * 68 + 64]
            assert (tile.std() > 0) == (column < tops)


def test_bad_input(small_teacher, images, tmp_path, monkeypatch):
    gallery = kx.callbacks.FilterGallery
    with pytest.raises(DataError, match="at least one"):
        gallery(tmp_path, images[:0])
    with pytest.raises(ConfigError, match="every"):
        gallery(tmp_path, images, every=0)
    explainer = made(small_teacher)
    for wrong in (
        gallery(tmp_path, images, filters=[6]),
        gallery(tmp_path, np.zeros((2, 8, 8, 3), "uint8")),
    ):
        with pytest.raises(DataError):
            explainer.fit(images, epochs=1, verbose=0, callbacks=[wrong])
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ConfigError, match="needs TensorFlow and TensorBoard"):
        gallery(tmp_path, images)
