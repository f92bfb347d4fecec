"""The features of one category that every method works on, computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

import keras_explainer as kx
from benchmarks.core import TAP, shared_folder
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.views import ViewSpec

TRAIN_VIEWS = 4


@dataclass(frozen=True)
class Category:
    """Train and test features of a category.

    Attributes:
        name: of the category.
        teacher: whose features.
        train: in `TRAIN_VIEWS` views; view 0 is the whole image.
        test: annotated test images, one view.
        centres: float64 (N, P, 2), part centres of the test images in pixels.
    """

    name: str
    teacher: kx.Teacher
    train: FeatureCache
    test: FeatureCache
    centres: np.ndarray


def load_teacher(shuffled: bool = False) -> kx.Teacher:
    """MobileNet 0.75 with ImageNet weights.

    Args:
        shuffled: permute the numbers within each kernel (seed 0; norms are kept), as a
            control: a network of the same statistics that knows nothing.
    """
    arguments: dict[str, Any] = {"alpha": 0.75}
    path = shared_folder() / "mobilenet_075_224.weights.h5"
    teacher = kx.Teacher.from_applications(
        "MobileNet", weights=path, tap=TAP, **arguments
    )
    if not shuffled:
        return teacher
    model = keras.applications.MobileNet(weights=None, **arguments)
    model.load_weights(path)
    random = np.random.default_rng(0)
    for layer in model.layers:
        weights = layer.get_weights()
        if weights and not isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights(
                [random.permuted(w.ravel()).reshape(w.shape) for w in weights]
            )
    return kx.Teacher(model, tap=TAP, targets=list(teacher.targets), preprocessing="tf")


def load_category(name: str, teacher: kx.Teacher) -> Category:
    """Reads a category's images and runs the teacher on them."""
    height, width, _ = teacher.input_shape
    images = kx.ImageFolder(shared_folder(), image_size=(height, width), category=name)
    shown = ~np.isnan(images.test.centres[..., 0]).all(-1)
    test = images.test.subset(np.flatnonzero(shown).tolist())
    return Category(
        name,
        teacher,
        FeatureCache.build(teacher, images.train, ViewSpec(count=TRAIN_VIEWS, seed=0)),
        FeatureCache.build(teacher, test, ViewSpec(count=1)),
        np.asarray(test.centres),
    )
