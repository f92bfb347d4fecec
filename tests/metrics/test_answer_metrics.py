"""Top1Agreement, ConstantAgreement and TeacherKL."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_explainer.errors import ConfigError, DataError
from keras_explainer.metrics import ConstantAgreement, TeacherKL, Top1Agreement

METRICS = [Top1Agreement, ConstantAgreement, TeacherKL]


def logits(seed=0, images=45, classes=6, scale=3.0):
    rng = np.random.default_rng(seed)
    teacher = rng.normal(0, scale, (images, classes))
    teacher[:, 1 % classes] += 2
    other = teacher + rng.normal(0, scale, teacher.shape)
    return teacher.astype("float32"), other.astype("float32")


def softmax(values):
    values = np.exp(values.astype("float64") - values.max(-1, keepdims=True))
    return values / values.sum(-1, keepdims=True)


def stream(metric, teacher, other, size=15):
    for start in range(0, len(teacher), size):
        part = slice(start, start + size)
        metric.update_state(teacher[part], other[part])
    return float(metric.result())


def agreement(teacher, other):
    return np.mean(
        [a.argmax() == b.argmax() for a, b in zip(teacher, other, strict=True)]
    )


def constant(teacher):
    answers = [int(row.argmax()) for row in teacher]
    return max(answers.count(answer) for answer in answers) / len(answers)


@pytest.mark.parametrize("classes", [6, 1000])
def test_equal_references(reference, classes):
    teacher, other = logits(classes=classes)
    assert stream(Top1Agreement(), teacher, other) == pytest.approx(
        agreement(teacher, other), abs=1e-6
    )
    assert stream(ConstantAgreement(), teacher, other) == pytest.approx(
        constant(teacher), abs=1e-6
    )
    expected = reference.kl(teacher, other)
    assert stream(TeacherKL(), teacher, other) == pytest.approx(expected, rel=1e-5)


def test_probabilities(reference):
    teacher, other = logits()
    p, q = softmax(teacher), softmax(other)
    assert stream(TeacherKL(from_logits=False), p, q) == pytest.approx(
        reference.kl(teacher, other), rel=1e-5
    )
    for metric, expected in (
        (Top1Agreement(from_logits=False), agreement(teacher, other)),
        (ConstantAgreement(from_logits=False), constant(teacher)),
    ):
        assert stream(metric, p, q) == pytest.approx(expected, abs=1e-6)


def test_one_output_is_binary(reference):
    teacher, other = logits(classes=1)
    pair = [np.concatenate([np.zeros_like(v), v], 1) for v in (teacher, other)]
    sigmoids = [softmax(v)[:, 1:] for v in pair]
    cases = [
        (Top1Agreement, agreement(*pair)),
        (ConstantAgreement, constant(pair[0])),
        (TeacherKL, reference.kl(*pair)),
    ]
    assert 0.5 < cases[0][1] < 1
    for metric, expected in cases:
        assert stream(metric(), teacher, other) == pytest.approx(expected, rel=1e-5)
        result = stream(metric(from_logits=False), *sigmoids)
        assert result == pytest.approx(expected, rel=1e-5)


def test_kl_of_extreme_outputs():
    teacher = np.array([[1000.0, 0, -np.inf], [0, 0, -1000.0]], "float32")
    other = np.array([[0, 1000.0, -np.inf], [0, 0, -1000.0]], "float32")
    assert stream(TeacherKL(), teacher, other) == pytest.approx(500)
    assert stream(TeacherKL(), teacher, teacher) == 0
    p = np.array([[1.0, 0.0]])
    excluded = stream(TeacherKL(from_logits=False), p, p[:, ::-1])
    assert excluded == pytest.approx(-math.log(np.finfo("float32").tiny), rel=1e-5)
    assert stream(TeacherKL(from_logits=False), p, p) == 0


def test_small_kl_is_exact(reference):
    teacher, _ = logits(images=20)
    other = teacher + 0.01 * logits(3, images=20)[0]
    expected = reference.kl(teacher, other)
    assert expected < 1e-3
    assert stream(TeacherKL(), teacher, other) == pytest.approx(expected, abs=1e-7)


def test_nan_never_agrees():
    teacher = np.array([[1.0, 0.0], [1.0, 0.0]])
    broken = np.array([[np.nan, 0.0], [2.0, 0.0]])
    assert stream(Top1Agreement(), teacher, broken) == 0.5
    assert math.isnan(stream(TeacherKL(), teacher, broken))


def test_ties_take_the_first_class():
    tied = np.array([[1.0, 1.0, 0.0]])
    assert stream(Top1Agreement(), tied, np.array([[1.0, 0.0, 0.0]])) == 1
    assert stream(Top1Agreement(), tied, np.array([[0.0, 1.0, 0.0]])) == 0


# Few sizes of batches: every new one is compiled anew on JAX.
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.sampled_from([15, 30]), min_size=1))
def test_order_and_split_do_not_matter(seed, cuts):
    teacher, other = logits(seed)
    order = np.random.default_rng(seed).permutation(45)
    for metric in METRICS:
        one, split = metric(), metric()
        one.update_state(teacher, other)
        for part in np.split(order, sorted(cuts)):
            split.update_state(teacher[part], other[part])
        assert float(split.result()) == pytest.approx(float(one.result()), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_cells_are_averaged_within_the_image(metric):
    teacher, other = logits(images=24)
    flat = stream(metric(), teacher, other)
    teacher, other = teacher.reshape(4, 2, 3, 6), other.reshape(4, 2, 3, 6)
    assert stream(metric(), teacher, other) == pytest.approx(flat, rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_sample_weight(metric):
    teacher, other = logits()
    repeats = np.arange(len(teacher)) % 3
    weighted = metric()
    for part in np.split(np.arange(len(teacher)), [15, 30]):
        weighted.update_state(
            teacher[part], other[part], sample_weight=repeats[part, None]
        )
    expected = stream(
        metric(), np.repeat(teacher, repeats, 0), np.repeat(other, repeats, 0)
    )
    assert float(weighted.result()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_half_precision_is_summed_in_float32(metric):
    teacher, other = (v.astype("float16") for v in logits(images=1500))
    expected = stream(metric(), teacher.astype("float32"), other.astype("float32"))
    half = metric(dtype="float16")
    assert stream(half, teacher, other, 100) == pytest.approx(expected, rel=1e-5)
    assert {variable.dtype for variable in half.variables} == {"float32"}


@pytest.mark.parametrize("metric", METRICS)
def test_reset(metric):
    teacher, other = logits()
    one = metric()
    assert math.isnan(float(one.result()))
    first = stream(one, teacher, other)
    one.reset_state()
    assert math.isnan(float(one.result()))
    assert stream(one, teacher, other) == first


def test_constant_needs_the_teacher_only():
    teacher, _ = logits()
    metric = ConstantAgreement(classes=6)
    metric.update_state(teacher)
    assert float(metric.result()) == pytest.approx(constant(teacher), abs=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_shapes_that_do_not_fit(metric):
    teacher, other = logits()
    with pytest.raises(DataError, match=r"\(images, classes\)"):
        metric().update_state(teacher[:, 0], other[:, 0])
    if metric is ConstantAgreement:
        built = metric(classes=6)
        with pytest.raises(DataError, match=r"6 classes.*\(45, 5\)"):
            built.update_state(teacher[:, :5])
        with pytest.raises(ConfigError, match="classes"):
            metric(classes=0)
    else:
        with pytest.raises(DataError, match=r"one shape.*\(45, 6\).*\(45, 1\)"):
            metric().update_state(teacher, other[:, :1])


def test_in_evaluate(reference, compile_options):
    teacher, other = logits()
    model = keras.Sequential([keras.Input((6,)), keras.layers.Identity()])
    model.compile(
        loss="mse", metrics=[metric() for metric in METRICS], **compile_options
    )
    for _ in range(2):
        logs = model.evaluate(
            other, teacher, batch_size=16, verbose=0, return_dict=True
        )
        assert logs["top1_agreement"] == pytest.approx(agreement(teacher, other))
        assert logs["top1_constant"] == pytest.approx(constant(teacher))
        assert logs["kl"] == pytest.approx(reference.kl(teacher, other), rel=1e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("from_logits", [True, False])
def test_serialisation(metric, from_logits):
    one = metric(from_logits=from_logits, name="own", dtype="float32")
    config = keras.metrics.serialize(one)
    assert config["registered_name"] == f"keras_explainer>{metric.__name__}"
    copy = keras.metrics.deserialize(config)
    assert type(copy) is metric
    assert copy.get_config() == one.get_config()
    assert copy.from_logits is from_logits
    assert copy.direction == one._direction
    assert metric.direction == ("up" if metric is Top1Agreement else "down")
