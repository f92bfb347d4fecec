"""A teacher, its images, and an explainer that has learned on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_teacher import make_images

from keras_explainer.explainer import Explainer, warm_start


@pytest.fixture(scope="module", autouse=True)
def quick_start():
    """The small teacher has some thousand cells: no need to cluster 30 000.

    Undone after each file: other folders' tests may follow in the same process.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warm_start, "MOST_CELLS", 2000)
        yield


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """24 images of the small teacher."""
    return make_images(24)


@pytest.fixture(scope="session")
def fitted(small_teacher: Any, images: np.ndarray) -> Explainer:
    """Learned as a user does, 12 epochs; predict and evaluate, change nothing."""
    explainer = Explainer(small_teacher, filters=6, recipe="single")
    explainer.compile(optimizer="adam")
    explainer.fit(images, epochs=12, batch_size=8, validation_split=0.25, verbose=0)
    return explainer
