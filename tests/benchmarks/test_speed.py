"""The speed benchmark: its count of work, its rows, its page. No time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from test_case import gradient

sys.path.append(str(Path(__file__).resolve().parents[2]))
pytestmark = [pytest.mark.tensorflow, pytest.mark.one_backend]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def test_work_of_layers_by_their_formulas() -> None:
    import tensorflow as tf

    from benchmarks.speed.flops import work_of

    image = tf.zeros((2, 6, 5, 3))
    kernel = tf.zeros((3, 3, 3, 7))
    forward = 2 * (2 * 6 * 5 * 7) * (9 * 3)
    light = tf.zeros((3, 3, 3, 1))
    matrix = tf.zeros((4, 3))

    def learn(x):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            y = tf.reduce_sum(tf.square(tf.nn.conv2d(x, kernel, 1, "SAME")))
        return tape.gradient(y, [x, kernel])

    assert work_of(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"), image) == {
        "conv": forward,
        "matmul": 0,
        "bytes": 0,
    }
    # Forward, with respect to the image, with respect to the kernel.
    assert work_of(learn, image)["conv"] == 3 * forward
    moved = work_of(
        lambda x: tf.nn.depthwise_conv2d(x, light, [1, 1, 1, 1], "SAME"), image
    )
    assert moved["conv"] == 0
    assert moved["bytes"] == 4 * (2 * 2 * 6 * 5 * 3 + 27)
    product = work_of(lambda m: tf.matmul(m, m, transpose_a=True), matrix)
    assert product["matmul"] == 2 * 3 * 3 * 4
    called = tf.function(lambda x: tf.nn.conv2d(x, kernel, 1, "SAME"))
    assert work_of(lambda x: called(x) + 1.0, image)["conv"] == forward


def test_a_steps_work_is_thrice_the_forward_pass_of_what_learns() -> None:
    from benchmarks.speed import cases
    from benchmarks.speed.flops import work_of

    owner = cases.synthetic_teacher(8, 5)
    made = cases.explainer(owner, 4)
    data = cases.batch(made, 2)
    made.train_on_batch(*data)
    step = cases.step_work(made, data)
    tap = keras.ops.convert_to_tensor(data[0]["features"].reshape(-1, 8, 8, 5))
    forward = work_of(lambda x: made(x, training=False), tap)
    # The first convolutions need no gradient of the features.
    assert 2 * forward["conv"] < step["conv"] < 3 * forward["conv"] + forward["conv"]
    # Two filter losses: a product there, one back, of 65 templates.
    assert step["matmul"] >= 2 * 2 * (2 * 65 * 64 * 4 * 4)


def test_the_direct_way_is_the_same_loss() -> None:
    from benchmarks.speed.filter_loss import one_template_at_a_time
    from keras_explainer.losses import FilterLoss

    random = np.random.default_rng(0)
    maps = np.abs(random.normal(size=(4, 3, 3, 2))).astype("float32")
    loss = FilterLoss()
    np.testing.assert_allclose(
        float(one_template_at_a_time(keras.ops.convert_to_tensor(maps))),
        float(loss(maps)),
        rtol=1e-4,
    )
    expected = gradient(one_template_at_a_time, maps)
    np.testing.assert_allclose(
        gradient(loss, maps), expected, atol=2e-3 * np.abs(expected).max()
    )


def test_rows_of_both_presets_exist() -> None:
    import importlib

    from benchmarks.speed import rows

    assert set(rows.names("short")) < set(rows.names("full")) == set(rows.all_names())
    for module, function, _, _ in rows._ROWS.values():
        assert callable(
            getattr(importlib.import_module(f"benchmarks.speed.{module}"), function)
        )


def test_the_page_is_filled_again_and_again(tmp_path) -> None:
    from benchmarks.speed import report

    page = tmp_path / "page.md"
    page.write_text(PAGE.read_text())
    report.fill(page, {"rows": {}})
    empty = page.read_text()
    assert empty.count("not measured") >= 8
    row = {"not_measured": "no room"}
    report.fill(page, {"rows": {"step VGG16, single": row}})
    assert "not measured: no room" in page.read_text()
    report.fill(page, {"rows": {}})
    assert page.read_text() == empty
    page.write_text("no marks")
    with pytest.raises(ValueError, match="0 places"):
        report.fill(page, {"rows": {}})


def test_the_page_shows_the_rows_that_are_kept() -> None:
    """`python -m benchmarks.speed --page` was run after the rows were measured."""
    from benchmarks.speed import report
    from benchmarks.speed.__main__ import kept_rows

    found = kept_rows()
    text = PAGE.read_text()
    for table in report.tables(found).values():
        assert table in text


def test_large_maps_and_many_channels_learn_in_little_memory() -> None:
    """The loss of 40 x 40 maps: no tensor of all filters' scores at once.

    Nor are the templates, 10 MB, constants of the graph: TensorFlow copies those.
    """
    from keras_explainer.losses.mean_information import mean_information

    random = np.random.default_rng(0)
    side, filters = 40, 64
    maps = np.abs(random.normal(size=(2, side, side, filters))).astype("float32")
    graph = _graph(lambda x: mean_information(x, 4.0, 0.5 / side**2, 10.0), maps)
    # The maps; the scores would be larger.
    assert _largest_tensor(graph) <= 2 * side * side * filters
    assert graph.as_graph_def().ByteSize() < 1e6


def _graph(function, maps):
    import tensorflow as tf

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = function(x)
        return tape.gradient(value, x)

    return step.get_concrete_function(tf.constant(maps)).graph


def _largest_tensor(graph) -> int:
    sizes = [
        int(np.prod(t.shape.as_list()))
        for op in graph.get_operations()
        for t in op.outputs
        if t.shape.is_fully_defined() and t.shape.rank == 3
    ]
    return max(sizes)
