"""FeatureCache: in memory and on disk, its key, resumed after an interruption."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from cache_checks import VIEWS, StopIt, assert_same, folder_of, interrupt_at
from keras import layers
from PIL import Image
from small_teacher import CountedTeacher, make_images, make_model, make_teacher

from keras_explainer.datasets import ImageArray, ImageReader, ImageSubset
from keras_explainer.datasets import disk_store as disk_module
from keras_explainer.datasets.feature_cache import FeatureCache, cache_key
from keras_explainer.datasets.views import ViewSpec, view_images
from keras_explainer.errors import CacheError, ConfigError, DataError
from keras_explainer.teachers import Teacher


def test_features_are_the_teachers_of_each_view(small_teacher, images, in_memory):
    assert in_memory.tap.shape == (11, 3, 6, 8, 12)
    assert in_memory.targets["top"].shape == (11, 3, 3, 4, 16)
    assert in_memory.views == 3 and len(in_memory) == 11
    np.testing.assert_array_equal(in_memory.boxes, VIEWS.boxes(0, 11))
    views = view_images(images, VIEWS.boxes(0, 11))
    for v in range(3):
        tap, targets = small_teacher.extract(views[:, v])
        np.testing.assert_allclose(in_memory.tap[:, v], tap, atol=1e-5)
        np.testing.assert_allclose(
            in_memory.targets["top"][:, v], targets["top"], atol=1e-5
        )
    assert in_memory.rounding_error == 0 and in_memory.directory is None


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_batches_do_not_matter(small_teacher, source, in_memory, batch_size):
    found = FeatureCache.build(small_teacher, source, VIEWS, batch_size=batch_size)
    assert_same(found, in_memory, tolerance=1e-5)
    assert found.key == in_memory.key


def test_disk_equals_memory_and_is_opened_again(
    small_teacher, source, in_memory, tmp_path
):
    with CountedTeacher(small_teacher) as counted:
        first = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
        assert counted.images == 33
        again = FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
        assert counted.images == 33
    for cache in (first, again):
        assert_same(cache, in_memory)
        assert cache.key == in_memory.key
        assert cache.directory == tmp_path / cache.key[:32]
        assert isinstance(cache.tap, np.memmap) and not cache.tap.flags.writeable
    names = {path.name for path in first.directory.iterdir()}
    assert names == {"state.json", "tap.npy", "target_0.npy", "boxes.npy"}


def test_the_teacher_runs_once_per_image_and_view(small_teacher, source):
    for views in (None, ViewSpec(count=1), VIEWS, ViewSpec(count=5)):
        with CountedTeacher(small_teacher) as counted:
            FeatureCache.build(small_teacher, source, views)
        assert counted.images == 11 * (views.count if views else 1)


@pytest.mark.parametrize("on_disk", [False, True])
def test_float16_states_its_error(small_teacher, source, in_memory, tmp_path, on_disk):
    cache = FeatureCache.build(
        small_teacher,
        source,
        VIEWS,
        dtype="float16",
        directory=tmp_path if on_disk else None,
    )
    assert cache.tap.dtype == np.float16 and cache.boxes.dtype == np.float32
    assert_same(cache, in_memory, tolerance=2e-3)
    pairs = [
        (cache.tap, in_memory.tap),
        (cache.targets["top"], in_memory.targets["top"]),
    ]
    lost = sum(np.square(a.astype("float64") - b).sum() for a, b in pairs)
    total = sum(np.square(b, dtype="float64").sum() for _, b in pairs)
    assert cache.rounding_error == pytest.approx(np.sqrt(lost / total), rel=1e-3)
    assert 0 < cache.rounding_error < 5e-4
    if on_disk:
        again = FeatureCache.build(
            small_teacher, source, VIEWS, dtype="float16", directory=tmp_path
        )
        assert again.rounding_error == cache.rounding_error


def test_features_beyond_float16_are_refused(source):
    model = make_model()
    model.get_layer("tap").bias.assign(np.full(12, 1e5, "float32"))
    teacher = Teacher(model, "tap", ["top"], preprocessing="unit")
    with pytest.raises(CacheError, match="float32"):
        FeatureCache.build(teacher, source, dtype="float16")
    assert FeatureCache.build(teacher, source).tap.max() > 65504


def test_key_changes_with_all_that_the_numbers_depend_on(small_teacher, images):
    content = ImageArray(images).content_hash
    key = cache_key(small_teacher, content, VIEWS, "float32")
    assert len(key) == 64 and int(key, 16) >= 0
    assert cache_key(make_teacher(), content, replace(VIEWS), "float32") == key

    changed = images.copy()
    changed[3, 2, 1, 0] ^= 1
    others = {
        "weights": cache_key(make_teacher(seed=1), content, VIEWS, "float32"),
        "tap": cache_key(make_teacher(tap="stem"), content, VIEWS, "float32"),
        "targets": cache_key(
            make_teacher(targets=("top", "gap")), content, VIEWS, "float32"
        ),
        "preprocessing": cache_key(
            make_teacher(preprocessing="tf"), content, VIEWS, "float32"
        ),
        "pixel": cache_key(
            small_teacher, ImageArray(changed).content_hash, VIEWS, "float32"
        ),
        "order": cache_key(
            small_teacher, ImageArray(images[::-1]).content_hash, VIEWS, "float32"
        ),
        "dtype": cache_key(small_teacher, content, VIEWS, "float16"),
    }
    for field, value in (
        ("count", 2),
        ("smallest", 0.5),
        ("largest", 0.9),
        ("flip", 0.4),
        ("seed", 1),
    ):
        spec = replace(VIEWS, **{field: value})
        others[field] = cache_key(small_teacher, content, spec, "float32")
    assert len({key, *others.values()}) == len(others) + 1


def test_other_weights_get_another_cache(small_teacher, source, in_memory, tmp_path):
    FeatureCache.build(small_teacher, source, VIEWS, directory=tmp_path)
    other = FeatureCache.build(make_teacher(seed=1), source, VIEWS, directory=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert not np.allclose(other.tap, in_memory.tap)


@pytest.mark.parametrize("at", [0, 2, 8])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_an_interrupted_cache_goes_on(small_teacher, source, tmp_path, at, dtype):
    options = {"dtype": dtype, "batch_size": 6}  # two images of three views
    whole = FeatureCache.build(small_teacher, source, VIEWS, **options)
    with pytest.raises(StopIt):
        FeatureCache.build(
            small_teacher,
            source,
            VIEWS,
            directory=tmp_path,
            progress=interrupt_at(at),
            **options,
        )
    assert not (folder_of(tmp_path) / "lock").exists()
    seen = []
    with CountedTeacher(small_teacher) as counted:
        resumed = FeatureCache.build(
            small_teacher,
            source,
            VIEWS,
            directory=tmp_path,
            progress=lambda done, total: seen.append((done, total)),
            **options,
        )
    assert counted.images == (11 - at) * 3
    assert seen[0] == (at, 11) and seen[-1] == (11, 11)
    assert_same(resumed, whole)
    assert resumed.rounding_error == pytest.approx(whole.rounding_error, rel=1e-12)


def test_rows_written_after_the_last_state_are_computed_again(
    small_teacher, source, in_memory, tmp_path, monkeypatch
):
    """As by a power cut between the features and the state that counts them."""
    calls = []

    def write_json(path, value):
        calls.append(value["done"])
        if len(calls) == 3:
            raise StopIt
        real(path, value)

    real = disk_module.files.write_json
    monkeypatch.setattr(disk_module.files, "write_json", write_json)
    with pytest.raises(StopIt):
        FeatureCache.build(
            small_teacher, source, VIEWS, directory=tmp_path, batch_size=6
        )
    monkeypatch.undo()
    with CountedTeacher(small_teacher) as counted:
        found = FeatureCache.build(
            small_teacher, source, VIEWS, directory=tmp_path, batch_size=6
        )
    assert calls == [2, 4, 6] and counted.images == (11 - 4) * 3
    assert_same(found, in_memory, tolerance=1e-6)


def test_image_files(small_teacher, images, in_memory, tmp_path):
    """Files give what their pixels as an array give, and have their own key."""
    (tmp_path / "images").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "images" / f"{number:02d}.png")
    files = [f"{number:02d}.png" for number in range(11)]
    subset = ImageSubset(tmp_path / "images", files, ImageReader((24, 32)))
    cache = FeatureCache.build(
        small_teacher, subset, VIEWS, directory=tmp_path / "cache"
    )
    assert_same(cache, in_memory, tolerance=1e-6)

    changed = images[5].copy()
    changed[0, 0, 0] ^= 1
    Image.fromarray(changed).save(tmp_path / "images" / "05.png")
    again = ImageSubset(tmp_path / "images", files, ImageReader((24, 32)))
    other = FeatureCache.build(
        small_teacher, again, VIEWS, directory=tmp_path / "cache"
    )
    assert other.key != cache.key


def test_nan_features(source, tmp_path):
    image = keras.Input((24, 32, 3))
    x = layers.Conv2D(4, 3, 4, padding="same", name="tap")(image)
    x = keras.ops.log(-1.0 - keras.ops.abs(x))
    x = layers.Conv2D(4, 3, 2, padding="same", name="top")(x)
    teacher = Teacher(keras.Model(image, x), "tap", ["top"], preprocessing="unit")
    for directory in (None, tmp_path):
        with pytest.raises(DataError, match="NaN or infinity at target 0"):
            FeatureCache.build(teacher, source, directory=directory)
    assert not (folder_of(tmp_path) / "lock").exists()


def test_wrong_arguments(small_teacher, source):
    with pytest.raises(ConfigError, match="float32, float16"):
        FeatureCache.build(small_teacher, source, dtype="int8")
    with pytest.raises(DataError, match=r"\(24, 32, 3\)"):
        FeatureCache.build(small_teacher, ImageArray(np.zeros((2, 24, 30, 3), "uint8")))


def test_teacher_is_asked_for_its_features_only_when_needed(
    small_teacher, source, tmp_path
):
    """A complete cache is opened though the images could not be read any more."""
    FeatureCache.build(small_teacher, source, directory=tmp_path)

    class Gone(ImageArray):
        def batches(self, *_):
            raise AssertionError("images are read")

    gone = Gone(make_images(11))
    with CountedTeacher(small_teacher) as counted:
        FeatureCache.build(small_teacher, gone, directory=tmp_path)
    assert counted.images == 0


def test_repr_and_rows(in_memory):
    assert repr(in_memory) == "FeatureCache(11 images x 3 views, memory)"
    part = in_memory.rows(2, 5)
    assert len(part) == 3 and part.key != in_memory.key
    np.testing.assert_array_equal(part.targets["top"], in_memory.targets["top"][2:5])
