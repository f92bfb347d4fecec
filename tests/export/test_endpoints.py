"""What a SavedModel's endpoints answer, against `explain` and the networks here."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from answers import assert_explains, assert_wrong, call, close, encoded, example
from small_teacher import make_teacher

from keras_explainer.export import saved_model
from keras_explainer.results import PartNames

pytestmark = pytest.mark.tensorflow
NAMES = {0: "ear", 3: "nose — right"}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("endpoint", ["explain", "serving_default"])
def test_explain(loaded, explainer, images, endpoint, count):
    found = call(loaded, endpoint, images=images[:count])
    assert_explains(found, explainer, images[:count], names=NAMES)
    # All kinds of filters are among them, or the test shows little.
    assert found["part_filters"].shape == (count, 4)
    assert len(set(found["part_strengths"].ravel().tolist())) > 3


@pytest.mark.parametrize("endpoint", ["images", "files"])
@pytest.mark.parametrize("asked", [None, 2])
def test_contributions(loaded, explainer, images, endpoint, asked):
    images = np.tile(images, (12, 1, 1, 1))  # more than are shared out at a time
    count = len(images)
    given = {"class_index": np.full(count, -1 if asked is None else asked)}
    if endpoint == "images":
        found = call(loaded, "explain_contributions", images=images, **given)
    else:
        files = [encoded(image) for image in images]
        found = call(loaded, "explain_contributions_jpeg", images_bytes=files, **given)
    plain = call(loaded, "explain", images=images)
    for row, item in enumerate(explainer.explain(images, asked, verbose=0)):
        shared, parts = item.contributions, item.parts[:4]
        assert found["status"][row] == b""
        assert found["class_index"][row] == item.explained.class_index
        assert found["part_filters"][row].tolist() == [p.filter for p in parts]
        # Sums of gradients, some of both signs: relative to what is shared out.
        scale = 1e-5 * (abs(shared.change) + abs(shared.ordinary))
        kept = sum(p.contribution for p in parts)
        for name, expected in (
            ("part_contributions", [p.contribution for p in parts]),
            ("ordinary_contribution", shared.ordinary),
            ("other_parts_contribution", shared.filters - kept),
            ("logit_change", shared.change),
            ("completeness_error", shared.completeness_error),
        ):
            np.testing.assert_allclose(found[name][row], expected, atol=scale)
    for name in ("scores", "logits", "reconstruction_logits", "p"):
        close(found[name], plain[name])


def test_classes_that_there_are_not(loaded, images):
    import tensorflow as tf

    found = call(loaded, "explain_contributions", images=images, class_index=[5, 4, -2])
    says = b"There is no class 5: class_index is 0 to 4, or -1 for the teacher's own."
    assert found["status"][0] == says
    assert found["status"][1] == b""
    assert_wrong(found, 0)
    assert_wrong(found, 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="one number for each"):
        call(loaded, "explain_contributions", images=images, class_index=[0])


def test_no_contributions_where_there_are_none(make_explainer, tmp_path):
    """An explainer whose tracks were not measured has no baseline."""
    import tensorflow as tf

    folder = saved_model(make_explainer(), tmp_path / "model")
    program = tf.saved_model.load(str(folder))
    assert not [name for name in program.signatures if "contributions" in name]
    told = json.loads(call(program, "describe", requests=["x"])["description"][0])
    assert told["contributions"] is None
    assert "measure_tracks" in told["no_contributions"]


def test_describe(loaded, explainer, images):
    found = call(loaded, "describe", requests=["", "anything"])["description"]
    assert found[0] == found[1]
    told = json.loads(found[0])
    item = explainer.explain(images[:1], verbose=0)[0]
    for name in ("share", "filters", "beta", "activation", "presence_calibrated"):
        assert told[name] == getattr(item, name)
    assert told["image_size"] == list(item.image_size)
    assert told["map_size"] == list(item.map_size)
    assert told["labels"] == explainer.teacher.labels
    assert (told["part_count"], told["channels"]) == (4, 3)
    assert told["contributions"]["steps"] == item.contributions.steps
    assert PartNames.from_dict(told["part_names"]).of(3).name == NAMES[3]
    assert told["no_contributions"] is None


def test_all_filters_the_absent_and_the_silent_too(explainer, images, tmp_path):
    import tensorflow as tf

    folder = saved_model(explainer, tmp_path / "all", part_count=100)
    found = call(tf.saved_model.load(str(folder)), "explain", images=images)
    assert found["part_filters"].shape == (3, 6)
    assert_explains(found, explainer, images, count=6)
    assert not found["part_present"].all(1).any()
    assert (found["part_positions"] == -1).any()


@pytest.mark.parametrize(
    "kind", ["two peaks", "no head", "one number", "pool", "mixed precision"]
)
def test_other_explainers(make_explainer, images, tmp_path, kind):
    import tensorflow as tf

    teacher, settings = make_teacher(), {}
    if kind == "two peaks":
        settings = {"peaks": 2, "beta": 8.0}
    elif kind == "no head":
        teacher = make_teacher(answer=None)
    elif kind == "one number":
        teacher = make_teacher(answer="sigmoid", hidden=(7,), targets=["fc1"])
    elif kind == "pool":
        settings = {"pool_size": 2}
    else:
        settings = {"dtype": "mixed_bfloat16"}
    if kind == "one number":
        from keras_explainer.explainer import Explainer

        made = Explainer(teacher, filters=6, recipe="single")
        made.statistics.started.assign(1.0)
    else:
        made = make_explainer(teacher, **settings)
    folder = saved_model(made, tmp_path / "model", part_count=6)
    program = tf.saved_model.load(str(folder))
    assert "classify" not in program.signatures
    found = call(program, "explain", images=images)
    if kind == "mixed precision":
        # bfloat16 has 8 bits, and is rounded where the compiler likes.
        for row, item in enumerate(made.explain(images, contributions=None, verbose=0)):
            strengths = [item.part(f).strength for f in found["part_filters"][row]]
            np.testing.assert_allclose(
                found["part_strengths"][row], strengths, rtol=0.02
            )
            close(found["scores"][row, item.answer.class_index], item.answer.score)
        return
    assert_explains(found, made, images, count=6)
    if kind == "two peaks":
        wide = found["part_boxes"][..., 3] - found["part_boxes"][..., 1]
        assert wide.max() > 1.5 * np.median(wide)


def test_part_maps_and_reconstruction(loaded, explainer, images):
    expected = explainer.predict(images, verbose=0)
    maps = call(loaded, "part_maps", images=images)
    assert set(maps) == {"part_maps", "status"}
    close(maps["part_maps"], expected["part_maps"])
    found = call(loaded, "reconstruct", images=images)
    assert set(found) == {"top", "status"}
    np.testing.assert_allclose(
        found["top"], expected["reconstructions"]["top"], rtol=1e-5, atol=1e-5
    )


def test_a_target_of_a_nested_model_keeps_its_path(make_explainer, images, tmp_path):
    import tensorflow as tf

    from keras_explainer.teachers import Teacher

    inner = make_teacher(answer=None).model
    image = keras.Input((24, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(inner(image))
    outer = keras.Model(image, keras.layers.Dense(5, activation="softmax")(x))
    teacher = Teacher(outer, "small/tap", ["small/top"], preprocessing="unit")
    made = make_explainer(teacher)
    folder = saved_model(made, tmp_path / "nested")
    program = tf.saved_model.load(str(folder))
    assert set(call(program, "reconstruct", images=images)) == {"small/top", "status"}
    found = call(program, "explain", images=images)
    assert_explains(found, made, images, count=6)


def test_classify(loaded, explainer, images):
    found = call(loaded, "classify", inputs=[example(image) for image in images])
    scores = explainer.teacher.classify(images)["outputs"]
    order = np.argsort(-scores, axis=1, kind="stable")
    labels = np.array(explainer.teacher.labels)
    assert [[c.decode() for c in row] for row in found["classes"]] == labels[
        order
    ].tolist()
    close(found["scores"], np.take_along_axis(scores, order, 1))
