"""`fit`: every form of data, what is logged, what is refused."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image
from quick import Batches, assert_bit_equal, learned, made, weights_of
from small_teacher import CountedTeacher, make_images

from keras_explainer.datasets import ImageArray, ImageReader, ImageSubset
from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.errors import ConfigError

one_backend = pytest.mark.one_backend

FIGURES = {
    "loss",
    "p",
    "explained_variance_top",
    "explained_variance_logits",
    "kl",
    "top1_agreement",
    "dead_filters",
}
LOSSES = {
    "reconstruction_loss": "reconstruction_weight",
    "logits_loss": "logits_weight",
    "filter_loss": "filter_loss_weight",
    "share_loss": "eta",
    "equivariance_loss": "equivariance_weight",
    "separation_loss": "separation_weight",
}


def test_history_has_every_loss_and_figure(fitted):
    history = fitted.history.history
    names = FIGURES | set(LOSSES)
    assert set(history) == names | {f"val_{name}" for name in names}
    for name, values in history.items():
        assert len(values) == 12 and np.isfinite(values).all(), name
    for epoch in range(12):
        total = sum(
            getattr(fitted.recipe, weight) * history[name][epoch]
            for name, weight in LOSSES.items()
        )
        assert history["loss"][epoch] == pytest.approx(total, rel=1e-3, abs=1e-3)


def test_learning_explains_more(fitted):
    history = fitted.history.history
    for name in ("loss", "val_loss"):
        assert np.mean(history[name][-3:]) < np.mean(history[name][:3]), name
    assert history["explained_variance_top"][-1] > 0.5


@pytest.fixture(scope="module")
def from_array(small_teacher, images):
    return weights_of(learned(small_teacher, images))


def as_files(images, folder):
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02d}.png")
    names = [f"{number:02d}.png" for number in range(len(images))]
    return ImageSubset(folder, names, ImageReader(images.shape[1:3]))


FORMS = {
    "files": as_files,
    "image array": lambda images, _: ImageArray(images),
    "tensor": lambda images, _: ops.convert_to_tensor(images),
    "list": lambda images, _: list(images),
}


@one_backend
@pytest.mark.parametrize("form", FORMS)
def test_the_same_images_in_any_form_give_the_same_weights(
    small_teacher, images, from_array, tmp_path, form
):
    data = FORMS[form](images, tmp_path)
    assert_bit_equal(weights_of(learned(small_teacher, data)), from_array)


def test_a_feature_cache_gives_the_same_weights_without_the_teacher(
    small_teacher, images, from_array, tmp_path
):
    explainer = made(small_teacher)
    cache = FeatureCache.build(
        small_teacher,
        ImageArray(images),
        explainer.views,
        directory=tmp_path,
        # As in `fit`: other batches round differently.
        batch_size=12,
    )
    with CountedTeacher(small_teacher) as counted:
        explainer.fit(cache, epochs=1, batch_size=12, verbose=0)
    assert counted.images == 0
    assert_bit_equal(weights_of(explainer), from_array)


KEYED = {
    "PyDataset": lambda images: Batches(images, 10),
    "PyDataset with labels": lambda images: Batches(images, 10, labels=True),
    "generator": lambda images: (images[i : i + 7] for i in range(0, 24, 7)),
}


@one_backend
@pytest.mark.parametrize("form", KEYED)
def test_a_cache_key_makes_a_dataset_cached(small_teacher, images, from_array, form):
    data = KEYED[form](images)
    with CountedTeacher(small_teacher) as counted:
        explainer = learned(small_teacher, data, fit={"cache_key": "a"})
    assert counted.images == 24 * 2
    assert_bit_equal(weights_of(explainer), from_array)


@pytest.mark.tensorflow
def test_tf_data(small_teacher, images, from_array):
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices(images).batch(9)
    explainer = learned(small_teacher, data, fit={"cache_key": "a"})
    assert_bit_equal(weights_of(explainer), from_array)
    with CountedTeacher(small_teacher) as counted:
        explainer = learned(small_teacher, data)
    assert counted.images >= 24 and np.isfinite(explainer.history.history["loss"]).all()
    endless = data.repeat()
    for use in (
        lambda: learned(small_teacher, endless),
        lambda: learned(small_teacher, endless, fit={"cache_key": "b"}),
        lambda: explainer.evaluate(endless, verbose=0),
        lambda: explainer.predict(endless, verbose=0),
    ):
        with pytest.raises(ConfigError, match="take"):
            use()
    unknown = data.filter(lambda batch: True)
    with pytest.raises(ConfigError, match="steps_per_epoch"):
        learned(small_teacher, unknown)
    learned(small_teacher, unknown, fit={"steps_per_epoch": 1})


@one_backend
def test_without_a_key_the_teacher_runs_in_every_epoch(small_teacher, images, caplog):
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    with (
        caplog.at_level(logging.WARNING, "keras_explainer"),
        CountedTeacher(small_teacher) as counted,
    ):
        explainer = learned(
            small_teacher, Batches(images, 10), fit={"epochs": 2, "callbacks": [count]}
        )
    assert "cache_key" in caplog.text
    assert steps == [0, 1, 2] * 2
    assert counted.images >= 2 * 24 * 2
    assert np.isfinite(explainer.history.history["loss"]).all()


@one_backend
def test_the_teacher_runs_once_per_image_and_view(small_teacher, images, tmp_path):
    with CountedTeacher(small_teacher) as counted:
        explainer = learned(
            small_teacher,
            images,
            views=3,
            fit={"epochs": 2, "cache_dir": tmp_path, "validation_data": images[:5]},
        )
    assert counted.images == (24 + 5) * 3
    # Once more, and the cache on disk is opened.
    with CountedTeacher(small_teacher) as counted:
        explainer.fit(images, epochs=1, batch_size=8, verbose=0, cache_dir=tmp_path)
    assert counted.images == 0


@one_backend
@pytest.mark.parametrize("views, in_step", [(1, 1), (3, 2), (2, 2)])
def test_views(small_teacher, images, views, in_step):
    with CountedTeacher(small_teacher) as counted:
        explainer = learned(
            small_teacher,
            images,
            views=views,
            views_per_step=in_step,
        )
    assert counted.images == 24 * views
    logged = explainer.history.history["equivariance_loss"][0]
    assert np.isnan(logged) if in_step == 1 else logged > 0


@one_backend
@pytest.mark.parametrize("size, steps", [(7, 3), (100, 1)])
def test_batches_of_the_given_size(small_teacher, images, size, steps):
    seen = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    explainer = made(small_teacher)
    explainer.fit(images, batch_size=size, epochs=1, verbose=0, callbacks=[count])
    assert seen == list(range(steps))


@one_backend
def test_defaults_are_the_recipes(small_teacher, images):
    explainer = made(small_teacher, batch_size=11, epochs=3, views=1, views_per_step=1)
    seen = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    explainer.fit(images, verbose=0, callbacks=[count])
    assert seen == [0, 1] * 3


@one_backend
def test_float16_cache_learns_nearly_the_same(small_teacher, images):
    figures = [
        learned(
            small_teacher,
            images,
            # Clusters of so few cells may end elsewhere by a rounding.
            warm_start=False,
            optimizer=keras.optimizers.SGD(1e-4),
            fit={"cache_dtype": dtype},
        ).history.history
        for dtype in ("float16", "float32")
    ]
    for name in figures[1]:
        assert figures[0][name] == pytest.approx(figures[1][name], rel=0.06), name


@one_backend
def test_validation_split_holds_the_last_images_out(small_teacher, images, from_array):
    """What is learned equals learning on the first ones alone."""
    split = learned(small_teacher, images, fit={"validation_split": 0.25})
    first = learned(small_teacher, images[:18], fit={"validation_data": images[18:]})
    assert_bit_equal(weights_of(split), weights_of(first))
    assert split.history.history.keys() == first.history.history.keys()
    assert any(
        not np.array_equal(mine, theirs)
        for mine, theirs in zip(weights_of(split), from_array, strict=True)
    )


@one_backend
@pytest.mark.parametrize(
    "data",
    [lambda x: ImageArray(x), lambda x: Batches(x, 5)],
    ids=["image array", "PyDataset"],
)
def test_validation_data_in_other_forms(small_teacher, images, data):
    explainer = learned(
        small_teacher, images, fit={"validation_data": data(images[:7])}
    )
    assert np.isfinite(explainer.history.history["val_loss"]).all()


@one_backend
def test_callbacks(small_teacher, images, tmp_path):
    path = tmp_path / "best.keras"
    explainer = learned(
        small_teacher,
        images,
        fit={
            "epochs": 6,
            "validation_split": 0.25,
            "callbacks": [
                # No better by 10: stops after the second epoch, at the first's weights.
                keras.callbacks.EarlyStopping(
                    "val_loss", min_delta=10.0, patience=1, restore_best_weights=True
                ),
                keras.callbacks.ModelCheckpoint(path, "val_loss", save_best_only=True),
                keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
            ],
        },
    )
    assert len(explainer.history.history["loss"]) == 2
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    assert path.is_file()


@one_backend
def test_more_filters_than_channels_and_one_filter(small_teacher, images):
    for filters in (1, 40):
        explainer = learned(small_teacher, images, filters=filters)
        assert np.isfinite(explainer.history.history["loss"]).all()
        assert (
            explainer.predict(images[:2], verbose=0)["part_maps"].shape[-1] == filters
        )


@one_backend
def test_two_images_are_enough_to_run(small_teacher):
    explainer = learned(small_teacher, make_images(2))
    assert np.isfinite(explainer.history.history["loss"]).all()
