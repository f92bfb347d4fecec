"""What a SavedModel answers, against `explain` and the networks in this process.

Continuous outputs agree to 1e-5 relative (1e-6 absolute), positions and boxes to 1e-3
pixels, filters and presence exactly.
"""

from __future__ import annotations

import io

import keras
import numpy as np
import pytest
from PIL import Image
from small_teacher import make_images, make_teacher

from keras_explainer.datasets import ImageReader
from keras_explainer.export import saved_model

pytestmark = pytest.mark.tensorflow
NAMES = {0: "ear", 3: "nose — right"}


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def call(loaded, endpoint, **inputs):
    import tensorflow as tf

    given = {
        name: tf.constant(value, tf.string if name != "images" else tf.float32)
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
    assert list(maps) == ["part_maps"]
    close(maps["part_maps"], expected["part_maps"])
    found = call(loaded, "reconstruct", images=images)
    assert set(found) == {"top"}
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
    assert set(call(program, "reconstruct", images=images)) == {"small/top"}
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
    return decode(tf.constant([data])).numpy()[0]


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


def test_classify(loaded, explainer, images):
    import tensorflow as tf

    def example(image):
        data = tf.train.BytesList(value=[encoded(image)])
        feature = {"image": tf.train.Feature(bytes_list=data)}
        features = tf.train.Features(feature=feature)
        return tf.train.Example(features=features).SerializeToString()

    found = call(loaded, "classify", inputs=[example(image) for image in images])
    scores = explainer.teacher.classify(images)["outputs"]
    order = np.argsort(-scores, axis=1, kind="stable")
    labels = np.array(explainer.teacher.labels)
    assert [[c.decode() for c in row] for row in found["classes"]] == labels[
        order
    ].tolist()
    close(found["scores"], np.take_along_axis(scores, order, 1))


@pytest.mark.parametrize(
    ("endpoint", "inputs"),
    [
        ("explain", {"images": np.full((1, 24, 32, 3), np.nan)}),
        ("explain", {"images": np.full((1, 24, 32, 3), 256.0)}),
        ("explain", {"images": np.full((1, 24, 32, 3), -1.0)}),
        ("explain", {"images": np.full((1, 24, 32, 3), 0.5)}),
        ("part_maps", {"images": np.zeros((1, 0, 32, 3))}),
        ("explain_jpeg", {"images_bytes": [b"no image"]}),
        ("explain_jpeg", {"images_bytes": [b""]}),
        ("explain_jpeg", {"images_bytes": [encoded(make_images(1)[0], "JPEG")[:300]]}),
        ("classify", {"inputs": [b"no example"]}),
    ],
)
def test_bad_input_is_refused(loaded, endpoint, inputs):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError):
        call(loaded, endpoint, **inputs)


def test_images_of_other_channels_are_refused(loaded):
    import tensorflow as tf

    for shape in ((1, 24, 32, 4), (1, 24, 32, 1), (1, 50, 60, 4)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            call(loaded, "explain", images=np.zeros(shape))
