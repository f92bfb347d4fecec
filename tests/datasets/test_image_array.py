"""ImageArray: what an array of images may be, and the interface of a subset."""

import numpy as np
import pytest

from keras_explainer.datasets import ImageArray
from keras_explainer.errors import ConfigError, DataError


def array(count=7, channels=3, dtype=np.uint8):
    values = np.random.default_rng(0).integers(0, 256, (count, 5, 4, channels))
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64])
def test_reading(dtype):
    values = array(dtype=dtype)
    images = ImageArray(values, labels=list("abcdefg"))
    want = np.float32 if np.issubdtype(dtype, np.floating) else np.uint8
    assert len(images) == 7 and images.image_shape == (5, 4, 3) and images.bad == []
    for out in (
        images.images(),
        images.load(),
        images.images([6, 0]),
        next(images.batches(3)),
    ):
        assert out.dtype == want == images.dtype
    np.testing.assert_array_equal(images.images(), values)
    np.testing.assert_array_equal(images.images([6, 0]), values[[6, 0]])
    np.testing.assert_array_equal(np.concatenate(list(images.batches(3))), values)
    child = images.subset([2, 1])
    np.testing.assert_array_equal(child.images(), values[[2, 1]])
    assert child.labels == ["c", "b"]


def test_uint8_arrays_and_memory_maps_are_not_copied(tmp_path):
    values = array()
    assert np.shares_memory(ImageArray(values).images(), values)
    np.save(tmp_path / "a.npy", values)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    images = ImageArray(mapped)
    assert np.shares_memory(images.images(), mapped)
    assert images.content_hash == ImageArray(values).content_hash


def test_content_hash_is_of_values_not_of_layout():
    values = array()
    base = ImageArray(values).content_hash
    assert len(base) == 64
    assert ImageArray(np.asfortranarray(values)).content_hash == base
    assert ImageArray(np.repeat(values, 2, 0)[::2]).content_hash == base
    big = array(dtype=">i4")
    assert ImageArray(big).content_hash == ImageArray(array(dtype="<i4")).content_hash
    other = values.copy()
    other[3, 2, 1, 0] ^= 1
    variants = [other, values[::-1], values[:6], values.transpose(0, 2, 1, 3)]
    hashes = {ImageArray(v).content_hash for v in variants}
    hashes.add(ImageArray(array(dtype=np.float32)).content_hash)
    assert len(hashes) == 5 and base not in hashes


def test_blocks_do_not_matter(monkeypatch):
    base = ImageArray(array()).content_hash
    monkeypatch.setattr("keras_explainer.datasets.image_array._BLOCK_BYTES", 130)
    assert ImageArray(array()).content_hash == base
    late = array(dtype=np.float32)
    late[6, 4, 3, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        ImageArray(late)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (array()[0], "array\\[None\\]"),
        (np.moveaxis(array(), -1, 1), "np.moveaxis"),
        (array(channels=2), "1 or 3"),
        (array(0), "no pixels"),
        (array().astype(bool), "uint8 or float"),
        (array().astype(complex), "uint8 or float"),
        (array(dtype=np.float32) / 255, "scaled: multiply"),
        (array(dtype=np.float32) / 127.5 - 1, "scaled: multiply"),
        (array(dtype=np.float32) - 120, "in 0..255.*preprocesses"),
        (array(dtype=np.int32) + 1, r"1\.\.256"),
        (np.full((1, 2, 2, 3), np.inf, np.float32), "NaN or infinity"),
        (np.array([["a"]]), "shape"),
    ],
)
def test_refused_arrays(values, match):
    with pytest.raises(DataError, match=match):
        ImageArray(values)


def test_black_and_binary_float_images_are_accepted():
    assert len(ImageArray(np.zeros((2, 3, 3, 1), np.float32))) == 2
    assert len(ImageArray(np.ones((2, 3, 3, 1), np.float32))) == 2


def test_annotations():
    centres = np.full((7, 2, 2), np.nan)
    centres[2, 1], centres[5, 0] = (5, 4), (0, 0)
    images = ImageArray(array(), part_names=["head", "tail"], centres=centres)
    assert images.part_names == ("head", "tail") and images.has_annotations
    np.testing.assert_array_equal(images.centres, centres)
    np.testing.assert_array_equal(images.annotated.images(), array()[[2, 5]])
    np.testing.assert_array_equal(images.annotated.centres, centres[[2, 5]])
    plain = ImageArray(array())
    assert not plain.has_annotations and plain.centres.shape == (7, 0, 2)
    with pytest.raises(DataError, match="No image"):
        _ = plain.annotated


@pytest.mark.parametrize("wrong", [(5.1, 0), (-1, 0), (0, 4.5), (np.nan, 1)])
def test_centres_outside(wrong):
    centres = np.full((7, 1, 2), np.nan)
    centres[3, 0] = wrong
    with pytest.raises(DataError, match="centre of 'head' in image 3"):
        ImageArray(array(), part_names=["head"], centres=centres)


def test_arguments():
    with pytest.raises(DataError, match="7 images but 1 labels"):
        ImageArray(array(), labels=["x"])
    with pytest.raises(DataError, match="centres must have shape"):
        ImageArray(array(), part_names=["p"], centres=np.zeros((7, 2, 2)))
    images = ImageArray(array())
    with pytest.raises(ConfigError, match="no row 7"):
        images.images([7])
    with pytest.raises(ConfigError, match="batch_size"):
        images.batches(0)
    with pytest.raises(ConfigError, match="at least one"):
        images.subset([])
