"""ImageSubset: reading, bad files, batches in bounded memory, content hash."""

import threading
import time

import numpy as np
import pytest
from PIL import Image

from keras_explainer.datasets import ImageReader, ImageSubset
from keras_explainer.errors import ConfigError, DataError

SIZE = (6, 5)


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    for i in range(10):
        Image.fromarray(pixels(i)).save(tmp_path / f"{i}.png")
    return tmp_path


def make(folder, files=None, reader=None, **options):
    files = [f"{i}.png" for i in range(10)] if files is None else files
    return ImageSubset(folder, files, reader or ImageReader(SIZE), **options)


def test_images_by_rows(folder):
    subset = make(folder)
    everything = np.stack([pixels(i) for i in range(10)])
    assert len(subset) == 10 and subset.image_shape == (*SIZE, 3)
    np.testing.assert_array_equal(subset.images(), everything)
    np.testing.assert_array_equal(subset.load(), everything)
    np.testing.assert_array_equal(subset.images([7, 2, 2]), everything[[7, 2, 2]])
    mask = np.arange(10) % 3 == 0
    np.testing.assert_array_equal(subset.images(mask), everything[mask])
    assert subset.images([]).shape == (0, *SIZE, 3)
    for wrong in ([10], [-1], [0.5], [[1]], [True]):
        with pytest.raises(ConfigError):
            subset.images(wrong)


def test_bad_files_are_removed_once_with_their_rows(folder):
    (folder / "3.png").write_bytes(b"text")
    (folder / "8.png").unlink()
    centres = np.arange(20.0).reshape(10, 1, 2)
    subset = make(folder, labels=list("abcdefghij"), part_names=["p"], centres=centres)
    good = [0, 1, 2, 4, 5, 6, 7, 9]
    assert subset.files == [f"{i}.png" for i in good]
    assert len(subset) == 8 and "".join(subset.labels) == "abcefghj"
    np.testing.assert_array_equal(subset.centres, centres[good])
    np.testing.assert_array_equal(subset.images(), [pixels(i) for i in good])
    assert [(e.path, e.reason.split()[0]) for e in subset.bad] == [
        ("3.png", "is"),
        ("8.png", "does"),
    ]
    assert str(folder) not in subset.bad[1].reason
    assert subset.content_hash == make(folder, subset.files).content_hash


def test_raising_names_the_first_bad_file(folder):
    (folder / "3.png").write_bytes(b"text")
    (folder / "8.png").unlink()
    subset = make(folder, reader=ImageReader(SIZE, on_bad="raise"))
    with pytest.raises(DataError, match=r"3\.png is not an image.*2 bad files in all"):
        len(subset)


def test_no_usable_image(folder):
    with pytest.raises(DataError, match=r"no images.*\.jpg") as info:
        len(make(folder, []))
    assert str(folder) in str(info.value)
    with pytest.raises(DataError, match="none of the 2 images can be read"):
        len(make(folder, ["x.png", "y.png"]))


def test_a_file_that_goes_bad_later_raises(folder):
    subset = make(folder)
    assert len(subset) == 10
    (folder / "4.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"4\.png changed since it was checked.*empty"):
        subset.images()
    with pytest.raises(DataError, match="changed since"):
        list(subset.batches(2))
    assert len(subset.images([0, 1])) == 2


@pytest.mark.parametrize("size", [1, 3, 10, 64])
def test_batches(folder, size):
    subset = make(folder)
    batches = list(subset.batches(size))
    assert [len(b) for b in batches[:-1]] == [size] * (len(batches) - 1)
    np.testing.assert_array_equal(np.concatenate(batches), subset.images())
    order = [9, 0, 4, 4]
    np.testing.assert_array_equal(
        np.concatenate(list(subset.batches(size, order))), subset.images(order)
    )
    assert list(subset.batches(size, [])) == []


def test_wrong_batch_sizes_are_refused_at_once(folder):
    for wrong in (0, -1, 2.0, True, None):
        with pytest.raises(ConfigError, match="batch_size"):
            make(folder).batches(wrong)


def test_batches_read_ahead_but_not_far_and_end_their_thread(folder):
    read = []

    class Counting(ImageReader):
        def read_many(self, paths, root=None, progress=None):
            read.append(list(paths))
            return super().read_many(paths, root, progress)

    subset = make(folder, reader=Counting(SIZE))
    before = threading.active_count()
    batches = subset.batches(1)
    next(batches)
    deadline = time.monotonic() + 5
    while len(read) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(read) == 4  # the one in use, two that wait, one that wants to
    batches.close()
    assert threading.active_count() == before
    assert len(read) == 4


def test_progress_and_a_single_check(folder):
    done, reads = [], []

    class Counting(ImageReader):
        def read(self, path, root=None):
            reads.append(path)
            return super().read(path, root)

    subset = make(folder, reader=Counting(SIZE))
    subset.check(progress=lambda *step: done.append(step))
    assert done == [(i, 10) for i in range(1, 11)]
    _ = len(subset), subset.files, subset.content_hash, subset.bad, subset.labels
    assert len(reads) == 10
    done.clear()
    subset.load(progress=lambda *step: done.append(step))
    assert done[-1] == (10, 10)


def test_content_hash(folder):
    base = make(folder).content_hash
    assert len(base) == 64 and int(base, 16) >= 0
    assert make(folder).content_hash == base
    changes = [
        make(folder, [f"{i}.png" for i in range(9)]),
        make(folder, [f"{i}.png" for i in reversed(range(10))]),
        make(folder, reader=ImageReader((5, 6))),
        make(folder, reader=ImageReader(SIZE, 1)),
    ]
    hashes = {subset.content_hash for subset in changes}
    assert len(hashes) == 4 and base not in hashes
    assert make(folder, labels=["x"] * 10).content_hash == base
    (folder / "0.png").rename(folder / "00.png")
    renamed = make(folder, ["00.png", *(f"{i}.png" for i in range(1, 10))])
    assert renamed.content_hash != base
    (folder / "00.png").rename(folder / "0.png")
    Image.fromarray(pixels(99)).save(folder / "5.png")
    assert make(folder).content_hash != base


def test_subset_of_a_subset(folder):
    (folder / "0.png").write_bytes(b"")
    subset = make(folder, labels=list("abcdefghij"))
    child = subset.subset([4, 1])
    assert child.files == ["5.png", "2.png"] and child.labels == ["f", "c"]
    assert child.bad == [] and len(child) == 2
    np.testing.assert_array_equal(child.images(), [pixels(5), pixels(2)])
    assert child.content_hash == make(folder, child.files).content_hash
    with pytest.raises(ConfigError):
        subset.subset([9])


def test_arguments(folder):
    with pytest.raises(ConfigError, match="10 labels"):
        make(folder, labels=["x"])
    with pytest.raises(ConfigError, match="centres of shape"):
        make(folder, part_names=["p"], centres=np.zeros((10, 2, 2)))
    with pytest.raises(ConfigError, match="hidden"):
        make(folder, part_names=["p"], centres=np.zeros((10, 1, 2)), hidden=True)


def test_returned_lists_and_arrays_are_copies(folder):
    subset = make(folder, part_names=["p"], centres=np.ones((10, 1, 2)))
    subset.files.clear()
    subset.labels.clear()
    subset.centres[:] = 7
    assert len(subset.files) == len(subset.labels) == 10
    assert (subset.centres == 1).all()
