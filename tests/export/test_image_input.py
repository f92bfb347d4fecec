"""Images and image files that an export is given: read, decoded, refused row by row."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from answers import assert_explains, assert_wrong, call, close, encoded, example
from PIL import Image
from small_teacher import make_images

from keras_explainer.datasets import ImageReader

pytestmark = pytest.mark.tensorflow
NAMES = {0: "ear", 3: "nose — right"}


@pytest.mark.parametrize("kind", ["PNG", "BMP", "JPEG"])
def test_encoded_images_of_the_teachers_size(loaded, explainer, images, tmp_path, kind):
    files = [encoded(image, kind) for image in images]
    found = call(loaded, "explain_jpeg", images_bytes=files)
    paths = [tmp_path / f"{at}.{kind.lower()}" for at in range(3)]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)
    read, _, _ = ImageReader((24, 32)).read_many(paths)
    assert_explains(found, explainer, read, names=NAMES)


@cache
def decoder(shape):
    """The program for images of a shape, traced once."""
    import tensorflow as tf

    from keras_explainer.export.image_input import ImageInput

    return tf.function(ImageInput(shape, True).decoded)


def pixels(data, shape=(24, 32, 3)):
    """What the program decodes."""
    import tensorflow as tf

    images, status = decoder(shape)(tf.constant([data]))
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
