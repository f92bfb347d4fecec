"""Learning epochs with the feature cache, and with the teacher run in each of them."""

from __future__ import annotations

from typing import Any

from benchmarks.speed import cases
from benchmarks.speed.machine import alternate_with_rates
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.feature_sequence import FeatureSequence
from keras_explainer.datasets.image_array import ImageArray
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.explainer.data_input import FeatureStream


def measure(network: str, steps: int, repeats: int) -> dict[str, Any]:
    """Seconds of an epoch of `steps` steps, both ways; images are decoded already."""
    owner = cases.teacher(network)
    made = cases.explainer(owner)
    recipe = made.recipe
    pictures = cases.images(steps * recipe.batch_size, owner.input_shape)
    source = ImageArray(pictures)
    views = ViewSpec(count=recipe.views_per_step, seed=0)
    cache = FeatureCache.build(owner, source, views)
    sequence = FeatureSequence(cache, recipe.batch_size, shuffle=True)
    stream = FeatureStream(source, owner, views, recipe.batch_size).forever()

    def cached() -> None:
        for index in range(steps):
            made.train_on_batch(*sequence[index])

    def uncached() -> None:
        for _ in range(steps):
            made.train_on_batch(*next(stream))

    works = {"with cache": cached, "without": uncached}
    found, rates = alternate_with_rates(works, repeats)
    step = cases.step_work(made, sequence[0])
    count = recipe.batch_size * recipe.views_per_step
    floor = rates.floor(step)
    teacher = rates.floor(cases.teacher_work(owner, count))
    return {
        "network": network,
        "images": len(cache),
        "views": recipe.views_per_step,
        "seconds": found,
        "times_faster": found["without"] / found["with cache"],
        "floor_times_faster": (floor + teacher) / floor,
        "rates": rates.to_dict(),
    }
