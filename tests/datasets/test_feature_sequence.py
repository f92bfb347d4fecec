"""FeatureSequence: what is in a batch, and that order and views are the epoch's."""

from __future__ import annotations

import numpy as np
import pytest

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import (
    EpochOrder,
    FeatureSequence,
    WholeImages,
)


def make_cache(count=11, views=4, dtype="float32"):
    """Features that tell their image and view: 100 · image + view."""
    mark = 100 * np.arange(count)[:, None] + np.arange(views)
    return FeatureCache(
        np.broadcast_to(mark[..., None, None, None], (count, views, 2, 3, 2)).astype(
            dtype
        ),
        {
            "a": (mark[..., None] + np.zeros(5)).astype(dtype),
            "b/c": (mark[..., None, None, None] + np.zeros((1, 2, 3))).astype(dtype),
        },
        (mark[..., None] + np.arange(5) / 10).astype("float32"),
    )


def marks(batch):
    x, y = batch
    found = x["features"][..., 0, 0, 0]
    for name, values in y.items():
        np.testing.assert_array_equal(values.reshape(*found.shape, -1)[..., 0], found)
        assert values.dtype == np.float32, name
    np.testing.assert_allclose(x["boxes"][..., 0], found)
    assert x["features"].dtype == np.float32 and x["boxes"].dtype == np.float32
    return found


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_in_order_every_image_and_view_once(dtype):
    sequence = FeatureSequence(make_cache(dtype=dtype), batch_size=4)
    assert len(sequence) == sequence.num_batches == 3
    batches = [marks(sequence[i]) for i in range(3)]
    assert [len(batch) for batch in batches] == [4, 4, 3]
    expected = 100 * np.arange(11)[:, None] + np.arange(4)
    np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_shuffled_batches_are_whole_and_differ_by_epoch():
    sequence = FeatureSequence(make_cache(), 4, views=2, shuffle=True, seed=5)
    assert len(sequence) == 2  # the incomplete batch is left out
    epochs = []
    for epoch in range(6):
        sequence.set_epoch(epoch)
        batch = np.concatenate([marks(sequence[i]) for i in range(2)])
        images = batch[:, 0] // 100
        assert batch.shape == (8, 2) and len(np.unique(images)) == 8
        np.testing.assert_array_equal(batch // 100, np.stack([images, images], 1))
        assert (np.diff(batch % 100, axis=1) > 0).all()  # two different views
        epochs.append(batch)
    assert len({epoch.tobytes() for epoch in epochs}) == 6
    assert len(np.unique(np.concatenate(epochs) // 100)) == 11
    assert len(np.unique(np.concatenate(epochs) % 100)) == 4


def test_order_depends_on_seed_and_epoch_alone():
    def epoch_of(seed, epoch, visited=()):
        sequence = FeatureSequence(make_cache(), 5, 2, shuffle=True, seed=seed)
        for other in visited:
            sequence.set_epoch(other)
        sequence.set_epoch(epoch)
        return np.concatenate([marks(sequence[i]) for i in range(2)])

    np.testing.assert_array_equal(epoch_of(1, 3), epoch_of(1, 3, visited=(0, 1, 2)))
    assert not np.array_equal(epoch_of(1, 3), epoch_of(2, 3))


def test_fewer_images_than_a_batch_are_one_batch():
    sequence = FeatureSequence(make_cache(3), 8, shuffle=True)
    assert len(sequence) == 1 and len(marks(sequence[0])) == 3


@pytest.mark.parametrize("views, expected", [(None, 4), (1, 1), (3, 3), (9, 4)])
def test_views(views, expected):
    sequence = FeatureSequence(make_cache(), 4, views=views)
    assert sequence.views == expected and marks(sequence[0]).shape == (4, expected)


def test_whole_images_alone():
    rows = WholeImages(make_cache(), 4)
    found = [rows[i] for i in range(len(rows))]
    assert all(isinstance(batch, tuple) and len(batch) == 1 for batch in found)
    whole = np.concatenate([batch[0] for batch in found])
    assert whole.shape == (11, 2, 3, 2) and whole.dtype == np.float32
    np.testing.assert_array_equal(whole[:, 0, 0, 0], 100 * np.arange(11))


def test_rows_of_a_cache():
    cache = make_cache()
    part = cache.rows(3, 8)
    assert len(part) == 5 and part.views == 4
    np.testing.assert_array_equal(
        marks(FeatureSequence(part, 5)[0])[:, 0], 100 * np.arange(3, 8)
    )
    assert np.shares_memory(part.tap, cache.tap)


def test_epoch_order_sets_the_epoch():
    sequence = FeatureSequence(make_cache(), 4, shuffle=True)
    EpochOrder(sequence).on_epoch_begin(7)
    after = marks(sequence[0])
    sequence.set_epoch(7)
    np.testing.assert_array_equal(after, marks(sequence[0]))


@pytest.mark.parametrize(("wanted", "passes"), [(1, 1), (2, 1), (3, 2), (5, 2), (9, 4)])
def test_few_images_are_gone_through_again(wanted, passes):
    once = FeatureSequence(make_cache(), 4, views=2, shuffle=True, seed=5)
    sequence = FeatureSequence(
        make_cache(), 4, views=2, shuffle=True, seed=5, batches=wanted
    )
    assert len(sequence) == sequence.num_batches == 2 * passes
    sequence.set_epoch(3)
    once.set_epoch(3)
    found = [
        np.concatenate([marks(sequence[2 * at + i]) for i in range(2)])
        for at in range(passes)
    ]
    np.testing.assert_array_equal(
        found[0], np.concatenate([marks(once[i]) for i in range(2)])
    )
    for batch in found:
        assert len(np.unique(batch[:, 0] // 100)) == 8, "an image twice in one pass"
    if passes > 1:
        assert (found[0] != found[1]).any()


def test_batches_in_order_are_never_repeated():
    assert len(FeatureSequence(make_cache(), 4, batches=100)) == 3
