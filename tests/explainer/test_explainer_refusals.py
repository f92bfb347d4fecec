"""What `fit` and the explainer refuse, and what they say."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from quick import Batches, assert_bit_equal, learned, made, weights_of

from keras_explainer.errors import ConfigError, DataError, KerasExplainerError
from keras_explainer.explainer import Explainer
from keras_explainer.teachers import Teacher

one_backend = pytest.mark.one_backend


def nan_image(images):
    images = images.astype("float32")
    images[3, 0, 0, 0] = np.nan
    return images


REFUSED = {
    "NaN images": (nan_image, "Image 3 has NaN"),
    "wrong size": (lambda x: x[:, :20], "20x32x3.*24x32x3"),
    "sides exchanged": (lambda x: x.transpose(0, 2, 1, 3), "exchanged"),
    "channels first": (lambda x: x.transpose(0, 3, 1, 2), "moveaxis"),
    "one image without batch": (lambda x: x[0], "image"),
    "scaled": (lambda x: x / 255.0, "Multiply"),
    "preprocessed": (lambda x: x / 127.5 - 1.0, "0..255"),
    "none": (lambda x: x[:0], "no images"),
    "an empty list": (lambda x: [], "no images"),
    "one image": (lambda x: x[:1], "one image"),
    "two sizes": (lambda x: [x[0], x[1, :20]], "one shape"),
    "images and labels": (lambda x: (x, np.zeros(24)), "Labels are not taken"),
    "all alike": (lambda x: np.repeat(x[:1], 7, 0), "all alike"),
    "all black": (lambda x: 0 * x, "all alike"),
    "file names": (lambda x: ["a.jpg", "b.jpg"], "batches of images"),
    "a folder": (lambda x: "images", "batches of images"),
    "nothing": (lambda x: None, "NoneType"),
    "a number": (lambda x: 5, "int"),
    "a generator": (lambda x: (b for b in [x]), "only once"),
    "dicts": (lambda x: [{"image": x[:8]}], "dict with keys image"),
    "unbatched": (lambda x: Batches(x[0], 1), r"\(1, 32, 3\)"),
}


@one_backend
@pytest.mark.parametrize("what", REFUSED)
def test_refused_data(small_teacher, images, what):
    make, message = REFUSED[what]
    explainer = made(small_teacher)
    before = weights_of(explainer)
    with pytest.raises(DataError, match=message):
        explainer.fit(make(images), epochs=1, verbose=0)
    assert_bit_equal(weights_of(explainer), before)


@one_backend
@pytest.mark.parametrize(
    "options, message",
    [
        ({"y": np.zeros(24)}, "leave y out"),
        ({"sample_weight": np.ones(24)}, "sample_weight"),
        ({"class_weight": {0: 1.0}}, "class_weight"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"validation_split": -0.1}, "validation_split"),
        ({"validation_split": 0.99}, "none would be left"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": -3}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"cache_dtype": "int8"}, "float32, float16"),
        ({"validation_data": (0, 1)}, "."),
    ],
    ids=str,
)
def test_refused_arguments(small_teacher, images, options, message):
    with pytest.raises(KerasExplainerError, match=message):
        made(small_teacher).fit(images, epochs=1, verbose=0, **options)


@one_backend
def test_a_stream_cannot_be_split(small_teacher, images):
    with pytest.raises(ConfigError, match="cached"):
        learned(small_teacher, Batches(images, 8), fit={"validation_split": 0.2})


@one_backend
def test_not_compiled(small_teacher, images):
    explainer = Explainer(small_teacher, filters=4, recipe="single")
    for method in (explainer.fit, explainer.evaluate):
        with pytest.raises(ConfigError, match="compile"):
            method(images, verbose=0)
    with pytest.raises(ConfigError, match="own losses"):
        explainer.compile("adam", loss="mse")
    with pytest.raises(ConfigError, match="learning_rate"):
        explainer.compile(keras.optimizers.Adam(), learning_rate=1e-3)


@one_backend
@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({}, ConfigError, "made for a teacher"),
        ({"teacher": "model"}, ConfigError, r"kx.Teacher\(model"),
        ({"filters": 0}, ConfigError, "filters"),
        ({"filters": 2.5}, ConfigError, "filters"),
        ({"filters": "many"}, ConfigError, "filters"),
        ({"decoder": "conf"}, ConfigError, "conv"),
        ({"decoder": "fc"}, ConfigError, "top has spatial axes"),
        ({"recipe": "papers"}, ConfigError, "paper"),
        ({"etta": 1.0}, ConfigError, "eta"),
        ({"recipe": "single", "pool_size": 9}, ConfigError, "6 x 8"),
        ({"recipe": "single", "pool_size": 2}, ConfigError, "no pool_size"),
    ],
    ids=str,
)
def test_refused_explainers(small_teacher, arguments, error, message):
    options = {"teacher": small_teacher, **arguments} if arguments else {}
    if options.get("teacher") == "model":
        options["teacher"] = small_teacher.model
    with pytest.raises(error, match=message):
        Explainer(**options)


@one_backend
def test_a_teacher_with_nan_features(images):
    image = keras.Input((24, 32, 3))
    x = keras.layers.Conv2D(4, 3, 4, padding="same", name="tap")(image)
    x = ops.log(-1.0 - ops.abs(x))
    x = keras.layers.Conv2D(4, 3, 2, padding="same", name="top")(x)
    teacher = Teacher(keras.Model(image, x), "tap", ["top"], preprocessing="unit")
    with pytest.raises(DataError, match="NaN or infinity"):
        learned(teacher, images)
    # Not cached, they are not looked at before they are learned from.
    with pytest.raises(KerasExplainerError, match="NaN or infinity"):
        learned(teacher, Batches(images, 8))


@one_backend
def test_endless_pydataset(small_teacher, fitted, images):
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return images[:8]

    for use in (
        lambda: learned(small_teacher, Endless()),
        lambda: learned(small_teacher, Endless(), fit={"cache_key": "a"}),
        lambda: fitted.evaluate(Endless(), verbose=0),
        lambda: fitted.predict(Endless(), verbose=0),
    ):
        with pytest.raises(ConfigError, match="endless"):
            use()
