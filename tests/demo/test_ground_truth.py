"""The figures that need the truth, on filters whose nature is known."""

from __future__ import annotations

import numpy as np
import pytest

from keras_explainer import zoo
from keras_explainer.datasets.creatures import Creatures
from keras_explainer.demo.ground_truth import ground_truth, planted_filters


@pytest.mark.parametrize("species", [None, ["griffin"], ["fox", "wasp"]])
@pytest.mark.parametrize("map_shape", [(12, 12), (24, 24)])
def test_filters_of_texture_and_of_parts_are_told_apart(species, map_shape):
    drawn = Creatures(96, species, seed=11).generate(160)
    told = planted_filters(drawn, map_shape)
    assert told == {"texture_filters": 1.0, "part_filters": 0.0}


def test_without_distractors_nothing_follows_them():
    drawn = Creatures(96, ["griffin"], seed=11, distractors=0).generate(60)
    found = ground_truth(zoo.load("creatures"), drawn)
    assert found["explainer"]["distractors"]["hits"] == 0
    assert found["planted"] == {"texture_filters": None, "part_filters": None}
    assert found["distractor_test_passed"] is None


def test_figures_fall_when_the_truth_is_another_images():
    """Compared with the parts of other images, the same filters follow none."""
    drawn = Creatures(96, ["griffin"], seed=12).generate(120)
    explainer = zoo.load("creatures")
    found = ground_truth(explainer, drawn)
    turned = np.roll(np.arange(len(drawn)), 1)
    wrong = type(drawn)(
        drawn.images,
        drawn.labels,
        drawn.species_names,
        drawn.part_names,
        *(
            array[turned]
            for array in (drawn.centres, drawn.boxes, drawn.visible, drawn.label_map)
        ),
    )
    control = ground_truth(explainer, wrong)
    assert found["explainer"]["tracking"]["share"] > 0.5
    assert control["explainer"]["tracking"]["share"] < 0.05
    assert (
        found["explainer"]["mask_iou"]["iou"]
        > 2 * (found["explainer"]["mask_iou"]["chance"])
    )
    assert found["images"] == control["images"] == 120
