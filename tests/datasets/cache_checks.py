"""What the tests of the feature cache share."""

from __future__ import annotations

import numpy as np

from keras_explainer.datasets.views import ViewSpec

VIEWS = ViewSpec(count=3)


def assert_same(found, expected, tolerance=0.0):
    for mine, theirs in [
        (found.tap, expected.tap),
        *((found.targets[name], expected.targets[name]) for name in expected.targets),
    ]:
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(found.boxes, expected.boxes)
    assert list(found.targets) == list(expected.targets)


class StopIt(Exception):
    pass


def interrupt_at(images_done):
    def progress(done, total):
        if done >= images_done:
            raise StopIt

    return progress


def folder_of(directory):
    (folder,) = directory.iterdir()
    return folder
