"""Images and their features, for the tests of the feature cache."""

from __future__ import annotations

import pytest
from cache_checks import VIEWS
from small_teacher import make_images

from keras_explainer.datasets import ImageArray
from keras_explainer.datasets.feature_cache import FeatureCache


@pytest.fixture(scope="module")
def images():
    return make_images(11)


@pytest.fixture(scope="module")
def source(images):
    return ImageArray(images)


@pytest.fixture(scope="module")
def in_memory(small_teacher, source):
    return FeatureCache.build(small_teacher, source, VIEWS)
