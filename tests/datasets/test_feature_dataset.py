"""feature_dataset: the same batches in the same order, without tf.data's autotuning."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_dataset import feature_dataset, feature_views
from keras_explainer.datasets.feature_sequence import (
    EpochOrder,
    FeatureSequence,
    WholeImages,
)


@pytest.fixture
def cache():
    random = np.random.default_rng(0)
    return FeatureCache(
        random.normal(size=(11, 3, 4, 5, 2)).astype("float16"),
        {"a/b": random.normal(size=(11, 3, 6)).astype("float16")},
        random.random((11, 3, 5)).astype("float32"),
    )


def same(found, expected):
    found, expected = keras.tree.flatten(found), keras.tree.flatten(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", [FeatureSequence, WholeImages])
def test_a_pass_has_the_batches_of_the_sequence(cache, kind):
    sequence = kind(cache, 4)
    dataset = feature_dataset(sequence)
    assert int(dataset.cardinality()) == 3
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        same(found, [sequence[i] for i in range(3)])


@pytest.mark.tensorflow
def test_a_pass_has_the_order_of_its_epoch(cache):
    sequence = FeatureSequence(cache, 4, views=2, shuffle=True, seed=3)
    order, dataset = EpochOrder(sequence), feature_dataset(sequence)
    seen = []
    for epoch in range(3):
        order.on_epoch_begin(epoch)
        seen.append(list(dataset.as_numpy_iterator()))
        same(seen[-1], [sequence[i] for i in range(2)])
    assert not np.array_equal(seen[0][0][0]["boxes"], seen[1][0][0]["boxes"])


@pytest.mark.tensorflow
def test_nothing_is_tuned(cache):
    """The thread that tunes holds up the end of an iterator."""
    options = feature_dataset(FeatureSequence(cache, 4)).options()
    assert options.autotune.enabled is False


@pytest.mark.tensorflow
def test_its_own_dataset_is_given_back(cache):
    dataset = feature_dataset(FeatureSequence(cache, 4))
    assert feature_dataset(dataset) is dataset


def test_elsewhere_the_sequence_itself(cache, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    sequence = FeatureSequence(cache, 4)
    assert feature_dataset(sequence) is sequence


@pytest.mark.parametrize("views", [1, 2])
def test_views_are_known_of_features_alone(cache, views):
    sequence = FeatureSequence(cache, 4, views=views)
    assert feature_views(sequence) == views
    assert feature_views(feature_dataset(sequence)) == views
    assert feature_views(np.zeros((2, 8, 8, 3))) is None
    assert feature_views(cache) is None


@pytest.mark.tensorflow
def test_datasets_of_images_are_no_features(cache):
    import tensorflow as tf

    images = np.zeros((4, 8, 8, 3), "float32")
    for data in (images, (images, [0, 1, 2, 3]), ({"image": images}, [0, 1, 2, 3])):
        assert feature_views(tf.data.Dataset.from_tensor_slices(data)) is None
