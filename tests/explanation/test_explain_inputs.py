"""Everything that images may be given as; what cannot be used is told clearly."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from keras_explainer.datasets import ImageArray, ImageFolder
from keras_explainer.errors import ConfigError, DataError, TeacherError
from keras_explainer.explainer import Explainer
from keras_explainer.explanation import explain, iter_explanations


@pytest.fixture(scope="module")
def expected(explainer, images):
    return explain(explainer, images, verbose=0)


def same(found, expected):
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        for old, new in zip(one.parts, two.parts, strict=True):
            assert (old.filter, old.cell, old.present) == (
                new.filter,
                new.cell,
                new.present,
            )
            assert old.strength == pytest.approx(new.strength, rel=1e-4, abs=1e-6)


class Batches(keras.utils.PyDataset):
    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return (self.images[4 * index : 4 * index + 4],)


FORMS = {
    "float": lambda x: x.astype("float32"),
    "list": list,
    "tuple": tuple,
    "tensor": keras.ops.convert_to_tensor,
    "list of tensors": lambda x: [keras.ops.convert_to_tensor(one) for one in x],
    "ImageArray": ImageArray,
    "PyDataset": Batches,
    "generator": lambda x: (x[at : at + 2] for at in range(0, 7, 2)),
    "one large batch": lambda x: iter([x]),
    "not contiguous": lambda x: x.repeat(2, axis=2)[:, :, ::2],
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form, explainer, images, expected):
    same(explain(explainer, FORMS[form](images), batch_size=3, verbose=0), expected)


def test_tf_data(explainer, images, expected):
    tf = pytest.importorskip("tensorflow")
    data = tf.data.Dataset.from_tensor_slices((images, np.arange(7))).batch(4)
    same(explain(explainer, data, verbose=0), expected)


def test_feature_cache_and_stream(explainer, images, expected):
    same(explain(explainer, explainer.features(images), verbose=0), expected)
    stream = explainer.features([[images[:4]], [images[4:]]])
    same(explain(explainer, stream, batch_size=2, verbose=0), expected)


def test_one_image(explainer, images, expected):
    found = explain(explainer, images[3], names="the one", verbose=0)
    same(found, expected[3:4])
    assert found[0].image == "the one"
    assert found[0].index == 0


def test_image_folder(explainer, images, expected, tmp_path):
    for at, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{at}.png")
    subset = ImageFolder(tmp_path, image_size=(32, 40), test_share=0.4).train
    found = explain(explainer, subset, batch_size=2, verbose=0)
    assert [item.image for item in found] == subset.files
    order = [int(name[0]) for name in subset.files]
    same(found, [expected[at] for at in order])
    named = explain(explainer, subset, names=map(str, order), verbose=0)
    assert [item.image for item in named] == [str(at) for at in order]
    wrong = ImageFolder(tmp_path, image_size=(40, 32)).train
    with pytest.raises(
        DataError, match=r"\(40, 32, 3\); the teacher takes \(32, 40, 3"
    ):
        explain(explainer, wrong, verbose=0)


BAD = [
    (lambda x: x[:0], "no images"),
    (lambda x: [], "the list is empty"),
    (lambda x: iter([]), "the dataset is empty"),
    (lambda x: iter([x[:0]]), "the dataset is empty"),
    (lambda x: x[:, :-1], "31x40x3.*the teacher takes 32x40x3"),
    (lambda x: x[0, :-1], "31x40x3.*the teacher takes 32x40x3"),
    (lambda x: x[..., 0], "7x32x40.*the teacher takes 32x40x3"),
    (lambda x: x[0, :, :, 0], r"shape \(32, 40\)"),
    (lambda x: x[None], r"shape \(1, 7, 32, 40, 3\)"),
    (lambda x: np.swapaxes(x, 1, 2), "Height and width are exchanged"),
    (lambda x: x / 255.0, "Multiply the images by 255"),
    (lambda x: x * 2.0, "takes 0..255"),
    (lambda x: x.astype(object), "dtype object"),
    (lambda x: np.where(np.arange(7)[:, None, None, None] == 4, np.nan, x), "Image 4"),
    (lambda x: [x[0], x[1, :-1]], r"image 0 has \(32, 40, 3\), image 1 has \(31"),
    (lambda x: iter([x[0]]), "batched"),
    (lambda x: iter([x[:, :-1]]), "31x40x3"),
    (lambda x: iter([{"a": x}]), "dict with keys a"),
    (lambda x: "dog.jpg", "got str.*ImageReader"),
    (lambda x: b"dog", "got bytes"),
    (lambda x: {"a": x}, "got dict"),
    (lambda x: 7, "got int"),
    (lambda x: None, "got NoneType"),
    (lambda x: Image.fromarray(x[0]), "got Image.*numpy.asarray"),
]


@pytest.mark.parametrize("at", range(len(BAD)))
def test_bad_images(at, explainer, images):
    make, message = BAD[at]
    with pytest.raises(DataError, match=message):
        explain(explainer, make(images), verbose=0)


def test_bad_cache(explainer, teacher, images):
    cache = explainer.features(images)
    with pytest.raises(DataError, match="the cache is empty"):
        explain(explainer, cache.rows(0, 0), verbose=0)
    cache.targets = {"other": cache.targets["top"]}
    with pytest.raises(DataError, match=r"targets other; the teacher's are.*top"):
        explain(explainer, cache, verbose=0)


@pytest.mark.parametrize("k", [0, -1, 1.0, "3", True])
def test_bad_k(k, explainer, images):
    with pytest.raises(ConfigError, match="k is a whole number from 1"):
        explain(explainer, images, k=k)


@pytest.mark.parametrize("size", [0, -3, 2.0, None, True])
def test_bad_batch_size(size, explainer, images):
    with pytest.raises(ConfigError, match="batch_size is a whole number from 1"):
        iter_explanations(explainer, images, batch_size=size)


def test_bad_names(explainer, images):
    for count in (6, 8):
        names = [str(at) for at in range(count)]
        with pytest.raises(DataError, match=f"7 images but {count} names"):
            explain(explainer, images, names=names, verbose=0)
    with pytest.raises(DataError, match="names are texts, got int"):
        explain(explainer, images, names=range(7), verbose=0)
    few, many = (iter([images]) for _ in range(2))
    with pytest.raises(DataError, match="more images than the 2 names"):
        explain(explainer, few, names=["a", "b"], verbose=0)
    with pytest.raises(DataError, match="7 images but 9 names"):
        explain(explainer, many, names=[str(at) for at in range(9)], verbose=0)


def test_without_its_teacher(explainer, images, tmp_path):
    config = explainer.get_config()
    lonely = Explainer(
        filters=6,
        recipe="single",
        decoder=explainer.decoder,
        teacher_card=config["teacher_card"],
    )
    with pytest.raises(TeacherError, match="loaded without its teacher, small"):
        lonely.explain(images)


def test_weights_that_are_not_finite(make_explainer, images):
    explainer = make_explainer()
    conv = explainer.encoder.conv_2.conv
    kernel, bias = conv.get_weights()
    bias[1] = np.nan
    conv.set_weights([kernel, bias])
    with pytest.raises(DataError, match="interpretable_2/conv/bias hold NaN"):
        explain(explainer, images, verbose=0)


def test_maps_that_are_not_finite(make_explainer, images):
    explainer = make_explainer()
    conv = explainer.encoder.conv_2.conv
    kernel, bias = conv.get_weights()
    conv.set_weights([np.full(kernel.shape, 3e38), bias])
    with pytest.raises(DataError, match="explainer gives NaN or infinity for image 0"):
        explain(explainer, images, verbose=0)


def test_features_that_are_not_finite(explainer, images):
    cache = explainer.features(images)
    cache.tap[5, 0, 0, 0, 0] = np.inf
    with pytest.raises(DataError, match="teacher gives NaN or infinity for image 5"):
        explain(explainer, cache, batch_size=2, verbose=0)
