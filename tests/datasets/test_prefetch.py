"""prefetched: order, errors, and the end of its thread."""

import threading

import pytest

from keras_explainer.datasets.prefetch import prefetched


def test_order_and_values():
    assert list(prefetched(lambda key: key * 2, range(20))) == list(range(0, 40, 2))
    assert list(prefetched(str, [])) == []


def test_an_error_comes_where_its_item_was_due():
    def make(key):
        if key == 3:
            raise ValueError("three")
        return key

    taken = []
    with pytest.raises(ValueError, match="three"):
        for item in prefetched(make, range(6)):
            taken.append(item)
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("taken", [0, 1, 3])
def test_the_thread_ends_when_closed_early(taken):
    before = threading.active_count()
    items = prefetched(lambda key: key, range(100), ahead=1)
    for _ in range(taken):
        next(items)
    items.close()
    assert threading.active_count() == before
