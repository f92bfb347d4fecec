"""With places, a group of filters is one part of an explanation."""

from __future__ import annotations

import numpy as np
import pytest
from float64_network import float64_network, float64_shares
from keras import ops

from keras_explainer.explainer import Explainer
from keras_explainer.explainer.warm_start import start_norms
from keras_explainer.explanation import compare, summarize
from keras_explainer.metrics.positions import arg_max

PLACES, SIZE = 3, 2


@pytest.fixture(scope="module")
def grouped(teacher, images):
    """Three places of two filters, with random weights."""
    explainer = Explainer(
        teacher,
        filters=PLACES * SIZE,
        recipe="places",
        places=PLACES,
        decoder="conv",
    )
    start_norms(explainer.encoder, teacher.extract(images)[0])
    explainer.statistics.started.assign(1.0)
    explainer.measure_tracks(explainer.features(images))
    return explainer


@pytest.fixture(scope="module")
def network(grouped, teacher, images):
    return float64_network(grouped, teacher, images)


def shares(item):
    return np.array(
        [
            *(item.part(k).contribution for k in range(PLACES)),
            item.contributions.ordinary,
        ]
    )


def test_a_part_is_a_place(grouped, teacher, images):
    """Its map is the mean over its filters, and so are position and strength."""
    found = grouped.explain(images, verbose=0)
    tap, _ = teacher.extract(images)
    maps = grouped.encoder(ops.convert_to_tensor(tap), training=False)["maps"]
    maps = ops.convert_to_numpy(maps).astype("float64")
    maps = maps.reshape(*maps.shape[:3], PLACES, SIZE).mean(-1)
    cell, strength = arg_max(maps)
    assert grouped.part_count == found.filters == PLACES
    for row, item in enumerate(found):
        assert len(item.parts) == PLACES
        for part in item.parts:
            expected = strength[row, part.filter]
            assert part.strength == pytest.approx(expected, rel=1e-5)
            if expected > 0:
                assert part.cell == divmod(int(cell[row, part.filter]), maps.shape[2])
    assert (strength > 0).any()


def test_its_contribution_is_that_of_its_filters(grouped, images, network):
    found = grouped.explain(images[:2], steps=4, verbose=0)
    for row, item in enumerate(found):
        by_filter = float64_shares(network, row, item.explained.class_index, 4)
        by_part = by_filter[:-1].reshape(PLACES, SIZE).sum(1)
        expected = [*by_part, by_filter[-1]]
        np.testing.assert_allclose(shares(item), expected, rtol=2e-3, atol=2e-5)
    assert np.abs(shares(found[0])[:-1]).max() > 1e-3


def test_ablation_takes_away_the_whole_group(grouped, images, network):
    logits, tracks, means = network
    item = grouped.explain(images[:1], contributions="ablation", verbose=0)[0]
    shown = item.explained.class_index
    whole = logits(tracks[0][0], tracks[1][0])[shown]
    expected = []
    for place in range(PLACES):
        left = tracks[0][0].copy()
        group = slice(place * SIZE, (place + 1) * SIZE)
        left[..., group] = means[0][..., group]
        expected.append(whole - logits(left, tracks[1][0])[shown])
    expected.append(whole - logits(tracks[0][0], means[1])[shown])
    np.testing.assert_allclose(shares(item), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.one_backend
def test_all_that_explains_counts_places(grouped, images):
    summary = summarize(grouped, images, verbose=0)
    assert len(summary.filters) == PLACES
    assert grouped.presence.levels.shape == (PLACES,)
    same = compare(grouped, grouped, images)
    assert {pair.filter_a for pair in same.pairs} <= set(range(PLACES))
    named = grouped.explain(images[:1], part_names={2: "nose"}, verbose=0)
    assert named[0].part(2).name == "nose"
