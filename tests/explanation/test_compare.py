"""Comparing two explainers: what corresponds, what one model alone uses."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from small_teacher import make_teacher

import keras_explainer as kx
from keras_explainer.errors import DataError
from keras_explainer.explanation.compare import _alone, _correlation, _derangement
from keras_explainer.explanation.matching import best_matching
from keras_explainer.results import Comparison

pytestmark = pytest.mark.one_backend


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (5, 8), (8, 5), (40, 40)])
@pytest.mark.parametrize("seed", range(3))
def test_matching_is_the_best(shape, seed):
    random = np.random.default_rng(seed)
    score = random.normal(size=shape) if seed else random.integers(0, 3, shape) * 1.0
    rows, columns = best_matching(score)
    expected = score[linear_sum_assignment(score, maximize=True)].sum()
    assert score[rows, columns].sum() == pytest.approx(expected)
    assert len(set(rows)) == len(set(columns)) == len(rows) == min(shape)
    assert list(rows) == sorted(rows)


def test_correlation():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(5, 3, 4, 2)), random.normal(size=(5, 3, 4, 3))
    b[..., 1] = -2 * a[..., 0] + 7
    b[..., 2] = 1
    found = _correlation(a, b)
    for i in range(2):
        for j in range(2):
            expected = np.corrcoef(a[..., i].ravel(), b[..., j].ravel())[0, 1]
            assert found[i, j] == pytest.approx(expected)
    assert (found[:, 2] == 0).all()


def test_no_image_keeps_its_place():
    for count in (2, 3, 10):
        order = _derangement(count, 0)
        assert sorted(order) == list(range(count))
        assert (order != np.arange(count)).all()


@pytest.fixture(scope="module")
def many():
    random = np.random.default_rng(5)
    coarse = random.integers(0, 256, (24, 4, 5, 3))
    return coarse.repeat(8, axis=1).repeat(8, axis=2).astype("uint8")


def test_an_explainer_beside_itself(measured, many):
    """Each live filter has itself; the silent one has nobody."""
    found = kx.compare(measured, measured, many, part_names_a={0: "<ear>"})
    alike = [pair for pair in found.corresponding if pair.filter_a == pair.filter_b]
    assert sorted(pair.filter_a for pair in alike) == [0, 1, 3, 4, 5]
    assert all(pair.similarity == pytest.approx(1) for pair in alike)
    assert all(pair.use_a == pytest.approx(pair.use_b) for pair in alike)
    assert sum(pair.use_a for pair in found.pairs) == pytest.approx(1)
    assert found.only_a == found.only_b == ()
    assert found.chance < 0.9 and found.threshold >= found.chance
    assert next(p for p in found.pairs if p.filter_a == 0).name_a == "<ear>"
    again = Comparison.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found
    assert "only A uses: none" in found.table()
    assert "&lt;ear&gt;" in found._repr_html_()


def test_filters_in_another_order_and_one_that_is_gone(measured, make_explainer, many):
    other = make_explainer()
    other.set_weights(measured.get_weights())
    conv = other.encoder.conv_2.conv
    kernel, bias = conv.get_weights()
    order = [3, 1, 2, 5, 4, 0]
    kernel, bias = kernel[..., order], bias[order]
    gone = 4  # filter 4 of both
    bias[gone] = -1e6
    conv.set_weights([kernel, bias])
    found = kx.compare(measured, other, many)
    pairs = {pair.filter_a: pair.filter_b for pair in found.corresponding}
    for mine, theirs in ((3, 0), (1, 1), (5, 3), (0, 5)):
        assert pairs[mine] == theirs
    assert 4 not in pairs
    assert 4 not in {use.filter for use in found.only_b}


def test_what_one_model_alone_uses():
    """Alike is not enough: the counterpart must count too."""
    alike = np.array([[True, False], [False, True], [False, False], [False, False]])
    mine, theirs = np.array([True, True, True, False]), np.array([True, False])
    use = np.array([0.3, 0.1, 0.4, 0.2])
    found = _alone(alike, [mine, theirs], use, None)
    assert [(one.filter, one.use) for one in found] == [(2, 0.4), (1, 0.1)]


def test_another_teacher_of_another_size(measured, many):
    """Images are resized for it; without a head there are no uses."""
    teacher = make_teacher(answer=None)
    explainer = kx.Explainer(teacher, filters=4, recipe="single", decoder="conv")
    found = kx.compare(measured, explainer, many)
    assert len(found.pairs) == 4
    assert all(pair.use_b is None and pair.use_a is not None for pair in found.pairs)
    assert found.name_b == "small at tap"
    assert found.images == 24


def test_refused(measured, many):
    with pytest.raises(DataError, match=r"at least 2 images.*\(1, 32, 40, 3\)"):
        kx.compare(measured, measured, many[:1])
    with pytest.raises(DataError, match="only uint8 RGB images are resized"):
        kx.compare(measured, measured, many[:, :16].astype("float32"))
    with pytest.raises(DataError, match="of 7 filters"):
        names = kx.results.PartNames(filters=7)
        kx.compare(measured, measured, many, part_names_b=names)
