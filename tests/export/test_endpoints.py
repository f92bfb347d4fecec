"""What a SavedModel answers, against `explain` and the networks in this process.

Continuous outputs agree to 1e-5 relative (1e-6 absolute), positions and boxes to 1e-3
pixels, filters and presence exactly.
"""

from __future__ import annotations

import io
import json

import keras
import numpy as np
import pytest
from PIL import Image
from small_teacher import make_images, make_teacher

from keras_explainer.datasets import ImageReader
from keras_explainer.export import saved_model
from keras_explainer.results import PartNames

pytestmark = pytest.mark.tensorflow
NAMES = {0: "ear", 3: "nose — right"}


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def call(loaded, endpoint, **inputs):
    import tensorflow as tf

    kinds = {name: tf.float32 for name in ("images", "features")}
    kinds["class_index"] = tf.int32
    given = {
        name: tf.constant(value, kinds.get(name, tf.string))
        for name, value in inputs.items()
    }
    return {k: v.numpy() for k, v in loaded.signatures[endpoint](**given).items()}


def assert_explains(found, explainer, images, count=4, names=None):
    """The answer is what `explain` says of the images."""
    explanations = explainer.explain(
        images, contributions=None, part_names=names, verbose=0
    )
    assert all(len(value) == len(images) for value in found.values())
    for row, item in enumerate(explanations):
        parts = item.parts[:count]
        assert found["part_filters"][row].tolist() == [p.filter for p in parts]
        assert found["part_present"][row].tolist() == [p.present for p in parts]
        assert found["status"][row] == b""
        told = [text.decode() for text in found["part_names"][row]]
        assert told == [p.name or "" for p in parts]
        close(found["part_strengths"][row], [p.strength for p in parts])
        close(
            found["part_relative_strengths"][row], [p.relative_strength for p in parts]
        )
        for name, lacking in (("position", (-1,) * 2), ("box", (-1,) * 4)):
            expected = [getattr(p, name) or lacking for p in parts]
            served = found["part_positions" if name == "position" else "part_boxes"]
            np.testing.assert_allclose(served[row], expected, atol=1e-3)
        close(found["p"][row], item.share)
        if item.answer is None:
            assert "scores" not in found
            continue
        for prefix, score in (("", item.answer), ("reconstruction_", None)):
            score = score or item.reconstruction
            at = score.class_index
            close(found[f"{prefix}scores"][row, at], score.score)
            close(found[f"{prefix}logits"][row, at], score.logit)
        assert found["scores"][row].argmax() == item.answer.class_index
        own = item.reconstruction_answer.class_index
        assert found["reconstruction_scores"][row].argmax() == own


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

        made = Explainer(teacher, filters=6)
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


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_encoded_images_of_the_teachers_size(loaded, explainer, images, tmp_path, kind):
    files = [encoded(image, kind) for image in images]
    found = call(loaded, "explain_jpeg", images_bytes=files)
    paths = [tmp_path / f"{at}.{kind.lower()}" for at in range(3)]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    read, _, _ = ImageReader((24, 32)).read_many(paths)
    assert_explains(found, explainer, read, names=NAMES)


def pixels(data, shape=(24, 32, 3)):
    """What the program decodes."""
    import tensorflow as tf

    from keras_explainer.export.image_input import ImageInput

    decode = tf.function(ImageInput(shape, True).decoded)
    images, status = decode(tf.constant([data]))
    assert status.numpy().tolist() == [b""]
    return images.numpy()[0]


def read(data, path, shape=(24, 32, 3)):
    path.write_bytes(data)
    return ImageReader(shape[:2], shape[2]).read(path).astype("float32")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [*range(1, 9), 0, 9])
def test_images_are_turned_upright(tmp_path, orientation, order):
    image = np.asarray(Image.fromarray(make_images(1)[0]).resize((57, 41)))
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0112] = "maker", orientation
    data = encoded(image, "JPEG", exif=exif, quality=95)
    found, expected = pixels(data), read(data, tmp_path / "a.jpg")
    assert np.abs(found - expected).max() <= 1


def test_decoding_is_the_image_readers(tmp_path):
    """Sizes, grey, palette, transparency, 16 bits, a damaged EXIF block."""
    random = np.random.default_rng(0)
    large = np.asarray(Image.fromarray(make_images(1)[0]).resize((91, 60)))
    alpha = random.integers(0, 256, (24, 32, 4)).astype("uint8")
    cases = {
        "large": encoded(large),
        "jpeg": encoded(large, "JPEG"),
        "grey": encoded(large[..., 0]),
        "grey_jpeg": encoded(large[..., 0], "JPEG"),
        "alpha": encoded(alpha),
        "deep": encoded(random.integers(0, 65536, (24, 32)).astype("uint16")),
        "exif": encoded(large, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xf0\0\1"),
    }
    for name, data in cases.items():
        found, expected = pixels(data), read(data, tmp_path / name)
        assert np.abs(found - expected).max() <= 1, name
        luma = pixels(data, (24, 32, 1)), read(data, tmp_path / name, (24, 32, 1))
        assert np.abs(luma[0] - luma[1]).max() <= 1, name


def test_images_of_another_size(loaded, explainer):
    large = np.stack(
        [np.asarray(Image.fromarray(x).resize((64, 50))) for x in make_images(2)]
    )
    found = call(loaded, "explain", images=large)
    own = call(loaded, "explain_jpeg", images_bytes=[encoded(x) for x in large])
    for name, value in own.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def example(image):
    import tensorflow as tf

    value = image if isinstance(image, bytes) else encoded(image)
    data = tf.train.BytesList(value=[value])
    feature = {"image": tf.train.Feature(bytes_list=data)}
    features = tf.train.Features(feature=feature)
    return tf.train.Example(features=features).SerializeToString()


def test_classify(loaded, explainer, images):
    found = call(loaded, "classify", inputs=[example(image) for image in images])
    scores = explainer.teacher.classify(images)["outputs"]
    order = np.argsort(-scores, axis=1, kind="stable")
    labels = np.array(explainer.teacher.labels)
    assert [[c.decode() for c in row] for row in found["classes"]] == labels[
        order
    ].tolist()
    close(found["scores"], np.take_along_axis(scores, order, 1))


def assert_wrong(found, row):
    """The row says nothing that could be taken for an answer."""
    for name, value in found.items():
        if name == "status":
            continue
        if value.dtype.kind == "f":
            assert np.isnan(value[row]).all(), name
        else:
            empty = {"i": -1, "b": False, "O": b""}[value.dtype.kind]
            assert (value[row] == empty).all(), name


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.nan, "NaN or infinite"),
        (np.inf, "NaN or infinite"),
        (256.0, "values lie in 256..256; RGB 0..255"),
        (-1.0, "values lie in -1..-1"),
        (0.5, "values lie in 0.5..0.5"),
    ],
)
def test_a_wrong_image_spoils_its_own_row_alone(loaded, images, value, says):
    given = images.astype("float32")
    good = call(loaded, "explain", images=given[[0, 2]])
    given[1] = value
    found = call(loaded, "explain", images=given)
    assert says in found["status"][1].decode()
    assert found["status"][[0, 2]].tolist() == [b"", b""]
    assert_wrong(found, 1)
    for name, expected in good.items():
        if expected.dtype.kind == "f":
            close(found[name][[0, 2]], expected)
        else:
            np.testing.assert_array_equal(found[name][[0, 2]], expected)
    for endpoint, name in (("part_maps", "part_maps"), ("reconstruct", "top")):
        maps = call(loaded, endpoint, images=given)
        assert maps["status"][1] == found["status"][1]
        assert np.isfinite(maps[name]).all((1, 2, 3)).tolist() == [True, False, True]


def bomb(kind):
    """A header that declares 60,000 × 60,000 pixels, or what BMP can of that."""
    data = encoded(np.zeros((1, 1, 3), "uint8"), kind)
    if kind == "PNG":
        return data[:16] + (60_000).to_bytes(4, "big") * 2 + data[24:]
    if kind == "BMP":
        return data[:18] + (60_000).to_bytes(4, "little") * 2 + data[26:]
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + (60_000).to_bytes(2, "big") * 2 + data[at + 4 :]


def test_a_file_that_cannot_be_used_spoils_its_own_row_alone(loaded, images):
    damaged = [
        b"no image",
        b"",
        encoded(images[1], "JPEG")[:300],
        encoded(images[1])[:-40],
        encoded(images[1], "GIF"),
        encoded(images[1], "TIFF"),
    ]
    large = [bomb(kind) for kind in ("PNG", "JPEG", "BMP")]
    files = [encoded(images[0]), *damaged, *large, encoded(images[2], "JPEG")]
    found = call(loaded, "explain_jpeg", images_bytes=files)
    status = [text.decode() for text in found["status"]]
    assert status[0] == status[-1] == ""
    assert all("cannot be decoded" in text for text in status[1 : 1 + len(damaged)])
    too_large = "The image has 3600000000 pixels, more than 50000000."
    assert status[1 + len(damaged) : -1] == [too_large] * 3
    for row in range(1, len(files) - 1):
        assert_wrong(found, row)
    good = call(loaded, "explain_jpeg", images_bytes=[files[0], files[-1]])
    close(found["scores"][[0, -1]], good["scores"])
    np.testing.assert_array_equal(found["part_filters"][[0, -1]], good["part_filters"])
    nothing = call(loaded, "explain_jpeg", images_bytes=[b"no image"])
    assert_wrong(nothing, 0)


def test_an_empty_batch_has_an_empty_answer(loaded, images):
    for endpoint, given in (
        ("explain", {"images": images[:0]}),
        ("explain", {"images": np.zeros((0, 50, 60, 3))}),
        ("part_maps", {"images": images[:0]}),
        ("explain_jpeg", {"images_bytes": np.array([], object)}),
        ("explain_contributions", {"images": images[:0], "class_index": []}),
    ):
        found = call(loaded, endpoint, **given)
        one = call(
            loaded,
            endpoint.removesuffix("_jpeg"),
            images=images[:1],
            **({"class_index": [-1]} if "class_index" in given else {}),
        )
        assert {k: v.shape for k, v in found.items()} == {
            k: (0, *v.shape[1:]) for k, v in one.items()
        }


def test_images_without_pixels_and_too_many(loaded):
    from keras_explainer.export.image_input import ImageInput

    found = call(loaded, "explain", images=np.zeros((2, 0, 32, 3)))
    assert found["status"].tolist() == [b"The image has no pixels."] * 2
    assert_wrong(found, 1)
    given = ImageInput((24, 32, 3), True)
    given.decoded.max_pixels = 35
    resized, status = given.resized(np.ones((2, 6, 6, 3), "float32"))
    assert status.numpy().tolist() == [b"The image has 36 pixels, more than 35."] * 2
    assert resized.shape == (2, 24, 32, 3)
    assert not resized.numpy().any()


def test_an_answer_that_is_not_finite_is_no_answer():
    import tensorflow as tf

    from keras_explainer.export.row_status import BROKEN, by_row

    def function(x):
        return {"y": tf.math.log(x), "text": tf.strings.as_string(x)}

    found = by_row(function, tf.constant(["", "", "wrong"]), tf.constant([1.0, 0, 1]))
    assert found["status"].numpy().tolist() == [b"", BROKEN.encode(), b"wrong"]
    assert np.isnan(found["y"]).tolist() == [False, True, True]
    assert found["text"].numpy().tolist() == [b"1.000000", b"", b""]


def test_classify_of_a_file_that_cannot_be_used(loaded, images):
    found = call(loaded, "classify", inputs=[example(b"no image"), example(images[0])])
    assert set(found) == {"classes", "scores"}
    assert_wrong(found, 0)
    assert np.isfinite(found["scores"][1]).all()
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError):
        call(loaded, "classify", inputs=[b"no example"])


def test_images_of_other_channels_are_refused(loaded):
    import tensorflow as tf

    for shape in ((1, 24, 32, 4), (1, 24, 32, 1), (1, 50, 60, 4)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(loaded, "explain", images=np.zeros(shape))
