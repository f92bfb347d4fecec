"""KeepLastGood: good weights come back, and what never changes is kept once."""

import tracemalloc

import keras
import numpy as np
import pytest

from keras_explainer.explainer.keep_last_good import KeepLastGood

MEBIBYTE = 2**20


def model(wide: int) -> keras.Model:
    frozen = keras.layers.Dense(wide, trainable=False, name="frozen")
    return keras.Sequential([keras.Input((wide,)), frozen, keras.layers.Dense(1)])


def epoch(keep: KeepLastGood, number: int, value: float, loss: float) -> None:
    keep.on_epoch_begin(number)
    last = keep.model.layers[-1]
    last.set_weights([np.full_like(array, value) for array in last.get_weights()])
    keep.on_train_batch_end(0, {"loss": loss})
    keep.on_epoch_end(number)


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_the_last_epoch_that_a_finite_step_began_from(loss) -> None:
    keep = KeepLastGood()
    keep.set_model(model(3))
    before = keep.model.get_weights()
    keep.on_train_begin()
    epoch(keep, 0, 1.0, loss=2.0)
    epoch(keep, 1, 2.0, loss=1.0)
    assert keep.diverged is None
    epoch(keep, 2, 3.0, loss=loss)
    assert keep.model.stop_training and not np.isfinite(keep.diverged)
    # The step of the third epoch began at the weights of the second, and failed.
    frozen, bias, *last = keep.model.get_weights()
    np.testing.assert_array_equal(frozen, before[0])
    np.testing.assert_array_equal(bias, before[1])
    assert all((array == 1.0).all() for array in last)


def test_frozen_weights_are_kept_once() -> None:
    keep = KeepLastGood()
    keep.set_model(model(1024))
    size = 4 * 1024 * 1024 / MEBIBYTE
    tracemalloc.start()
    try:
        keep.on_train_begin()
        for number in range(3):
            epoch(keep, number, float(number), loss=1.0)
        held = tracemalloc.get_traced_memory()[0] / MEBIBYTE
    finally:
        tracemalloc.stop()
    assert size <= held < 1.5 * size
