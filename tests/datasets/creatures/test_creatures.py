"""Creatures: reproducible images, and a truth that agrees with what was drawn."""

from __future__ import annotations

import hashlib

import keras
import numpy as np
import pytest

from keras_explainer.datasets import ImageArray, ImageFolder
from keras_explainer.datasets.creatures import CreatureImages, Creatures
from keras_explainer.errors import ConfigError, DataError

PARTS = ("head", "body", "legs", "tail", "wings")
FIELDS = ("images", "labels", "centres", "boxes", "visible", "label_map")


@pytest.fixture(scope="module")
def drawn() -> CreatureImages:
    return Creatures(seed=2).generate(140)


def assert_equal(first, second):
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))


def test_shapes(drawn):
    assert drawn.images.shape == (140, 96, 96, 3) and drawn.images.dtype == np.uint8
    assert drawn.part_names == PARTS == Creatures.PARTS
    assert drawn.centres.shape == (140, 5, 2)
    assert drawn.boxes.shape == (140, 5, 4)
    assert drawn.masks.shape == (140, 5, 96, 96) and drawn.masks.dtype == np.bool_
    assert drawn.distractor_masks.shape == drawn.masks.shape
    assert drawn.label_map.dtype == np.uint8
    assert len(drawn) == 140 and len(drawn.species_names) >= 5
    assert drawn.label_names[3] == drawn.species_names[drawn.labels[3]]


def test_same_pixels_everywhere():
    """NumPy 1.26 and 2.4 gave this digest, on x86 with and without AVX."""
    total = hashlib.sha256()
    for size, more in ((96, {}), ((50, 71), {"companions": 2, "seed": 5})):
        found = Creatures(size, **more).generate(21, start=4)
        total.update(found.images.tobytes() + found.label_map.tobytes())
    assert total.hexdigest() == DIGEST


DIGEST = "c9b862b9b547988e6c659e9c10e4fcd9724c50e5fc3a0b2a84c9671b3c963143"


def test_any_range_can_be_had_by_itself(drawn):
    again = Creatures(seed=2)
    again.generate(3, start=1000)
    part = again.generate(9, start=61)
    for field in FIELDS:
        whole = getattr(drawn, field)[61:70]
        np.testing.assert_array_equal(getattr(part, field), whole)
    batches = list(again.batches(20, 8, start=50))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    joined = np.concatenate([batch.images for batch in batches])
    np.testing.assert_array_equal(joined, drawn.images[50:70])


def test_images_differ(drawn):
    assert len({image.tobytes() for image in drawn.images}) == len(drawn)
    other = Creatures(seed=3).generate(20)
    assert not (other.images == drawn.images[:20]).all((1, 2, 3)).any()
    assert drawn.images.std() > 30


def test_species_are_balanced_and_shuffled(drawn):
    blocks = drawn.labels.reshape(-1, 7)
    assert (np.sort(blocks, 1) == np.arange(7)).all()
    assert len({tuple(block) for block in blocks}) > 10
    few = Creatures(species=["wasp", "fox"], seed=2).generate(10)
    assert few.species_names == ("wasp", "fox")
    assert np.bincount(few.labels).tolist() == [5, 5]


def test_truth_equals_the_masks(drawn):
    """Presence, boxes and centres, pixel by pixel from the masks."""
    masks, present = drawn.masks, drawn.present
    np.testing.assert_array_equal(masks.any((2, 3)), present)
    for n, p in np.ndindex(present.shape):
        if not present[n, p]:
            assert np.isnan(drawn.centres[n, p]).all()
            assert np.isnan(drawn.boxes[n, p]).all()
            assert not drawn.visible[n, p] > 0.5 or masks[n, p].sum() < 96 * 96 / 800
            continue
        rows, columns = np.nonzero(masks[n, p])
        box = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert drawn.boxes[n, p].tolist() == box
        assert drawn.centres[n, p].tolist() == [
            (box[0] + box[2]) / 2,
            (box[1] + box[3]) / 2,
        ]
        assert 0.5 < drawn.visible[n, p] <= 1
        assert len(rows) >= 96 * 96 / 800
    # All kinds of cases are among these images.
    assert 0.7 < present[:, 0].mean() < 1
    hidden = ~np.isnan(drawn.visible) & ~present
    assert hidden.any((0,))[:4].all()


def test_masks_do_not_overlap(drawn):
    every = np.concatenate([drawn.masks, drawn.distractor_masks], 1)
    assert every.sum(1).max() == 1
    assert not drawn.companion_masks.any()
    assert 0.4 < drawn.distractor_masks.any((1, 2, 3)).mean() < 0.9


def test_visible_is_what_is_left_behind_things():
    """Counted against the same creatures with nothing in front of them."""
    settings = {"seed": 4, "absent_share": 0.0}
    free = Creatures(**settings, occluders=0).generate(60)
    seen = Creatures(**settings, occluders=3).generate(60)
    before = np.stack([(free.label_map == k + 1).sum((1, 2)) for k in range(5)], 1)
    share = seen.masks.sum((2, 3)) / np.maximum(before, 1)
    inside = free.visible == 1  # nothing of the part outside the picture
    kept = inside & seen.present
    np.testing.assert_allclose(share[kept], seen.visible[kept])
    assert (seen.visible[inside] < 0.5).any()
    assert not (seen.masks & ~free.masks)[free.present].any()
    assert (free.visible < 1).any()  # some reach out of the picture


def test_only_the_backgrounds_change(drawn):
    other = Creatures(seed=2, background_seed=9).generate(140)
    np.testing.assert_array_equal(other.label_map, drawn.label_map)
    np.testing.assert_array_equal(other.labels, drawn.labels)
    background = drawn.label_map == 0
    change = np.abs(other.images.astype(int) - drawn.images).mean(-1)
    assert change[background].mean() > 2 * change[~background].mean()
    # Beside light and grain, creatures have kept their look: pixels go together.
    for part in range(1, 6):
        chosen = drawn.label_map == part
        pair = drawn.images[chosen].ravel(), other.images[chosen].ravel()
        assert np.corrcoef(*pair)[0, 1] > 0.85
    pair = drawn.images[background].ravel(), other.images[background].ravel()
    assert np.corrcoef(*pair)[0, 1] < 0.4


def test_only_the_coats_change(drawn):
    other = Creatures(seed=2, coat_seed=9).generate(140)
    np.testing.assert_array_equal(other.label_map, drawn.label_map)
    background = drawn.label_map == 0
    change = np.abs(other.images.astype(int) - drawn.images).mean(-1)
    assert change[~background].mean() > 5 * change[background].mean()


@pytest.mark.parametrize("part", PARTS)
def test_only_one_part_is_missing(drawn, part):
    number = PARTS.index(part)
    other = Creatures(seed=2, without=[part]).generate(40)
    was, is_now = drawn.masks[:40], other.masks
    assert not is_now[:, number].any() and not other.present[:, number].any()
    rest = [k for k in range(5) if k != number]
    kept = drawn.present[:40][:, rest]
    assert not (was & ~is_now)[:, rest][kept].any()
    # Pixels away from the part are the same.
    changed = (other.images != drawn.images[:40]).any(-1)
    near = np.zeros_like(changed)
    free = Creatures(seed=2, occluders=0).generate(40)
    whole = free.label_map == number + 1
    for down in range(-2, 3):
        for across in range(-2, 3):
            near |= np.roll(whole, (down, across), (1, 2))
    # Where so little of it was seen that it counts as absent, the map has it not.
    known = free.present[:, number] | np.isnan(free.visible[:, number])
    assert known.sum() > 30
    # It shows through glassy wings and soft edges in front of it.
    assert (changed & ~near)[known].sum() < 0.02 * changed[known].sum()


def test_parts_are_left_out_by_chance():
    always = Creatures(absent_share=0, occluders=0, seed=1).generate(105)
    often = Creatures(absent_share=0.6, occluders=0, seed=1).generate(105)
    never = Creatures(absent_share=1, occluders=0, seed=1).generate(21)
    drawn = [~np.isnan(found.visible).all(0) for found in (always, never)]
    assert drawn[0].all()
    assert drawn[1].tolist() == [True, True, False, False, False]
    share = (~np.isnan(often.visible)).mean(0) / (~np.isnan(always.visible)).mean(0)
    assert share[:2].tolist() == [1, 1]
    assert (np.abs(share[2:] - 0.4) < 0.15).all()


def test_distractors_bear_the_skin_of_a_part():
    """Their colours are those of that part, in the same image, and of no other part."""
    settings = {"seed": 6, "occluders": 0, "absent_share": 0, "distractors": 4}
    found = Creatures(**settings).generate(200)
    colours = np.full((2, 200, 5, 3), np.nan)
    for kind, masks in enumerate((found.masks, found.distractor_masks)):
        for n, p in np.argwhere(masks.sum((2, 3)) > 60):
            colours[kind, n, p] = found.images[n][masks[n, p]].mean(0)
    own = np.linalg.norm(colours[0] - colours[1], axis=-1)
    other = np.linalg.norm(colours[0] - np.roll(colours[1], 1, 0), axis=-1)
    assert np.isfinite(own).sum(0).min() > 20
    assert (np.nanmean(own, 0) < 0.6 * np.nanmean(other, 0)).all()
    none = Creatures(distractors=0).generate(20)
    assert not none.distractor_masks.any()


def test_companions_are_further_creatures():
    settings = {"seed": 8, "occluders": 0}
    found = Creatures(**settings, companions=3).generate(40)
    alone = Creatures(**settings).generate(40)
    np.testing.assert_array_equal(found.labels, alone.labels)
    assert 0.5 < found.companion_masks.any((1, 2, 3)).mean() < 1
    assert not (found.companion_masks & found.masks.any(1)[:, None]).any()


@pytest.mark.parametrize("size", [32, (40, 61), (75, 33), (200, 230)])
def test_other_sizes(size):
    creatures = Creatures(size, seed=1)
    found = creatures.generate(7)
    high, wide = creatures.image_size
    assert found.images.shape == (7, high, wide, 3)
    assert found.masks.shape == (7, 5, high, wide)
    assert found.present[:, :2].mean() > 0.7
    bottom, right = np.nanmax(found.boxes[..., 2]), np.nanmax(found.boxes[..., 3])
    assert bottom <= high and right <= wide


def test_size_is_resolution():
    """The same images at another resolution show the same."""
    small, large = (
        Creatures(64, seed=1).generate(14),
        Creatures(128, seed=1).generate(14),
    )
    np.testing.assert_array_equal(small.labels, large.labels)
    both = small.present & large.present
    assert both.mean() > 0.9 * large.present.mean()
    off = np.abs(2 * small.centres[both] - large.centres[both])
    assert np.median(off) < 1.5
    sizes = large.masks.sum((2, 3))[both] / small.masks.sum((2, 3))[both]
    assert np.median(sizes) == pytest.approx(4, rel=0.1)


def test_image_array(drawn):
    array = Creatures(seed=2).image_array(6, start=20)
    assert isinstance(array, ImageArray)
    np.testing.assert_array_equal(array.images(), drawn.images[20:26])
    np.testing.assert_array_equal(array.centres, drawn.centres[20:26])
    assert array.labels == drawn.label_names[20:26]
    assert array.part_names == PARTS


def test_folder(tmp_path, drawn):
    creatures = Creatures(seed=2)
    path = creatures.write_folder(tmp_path / "drawn", 30, 40)
    folder = ImageFolder(path, image_size=(96, 96))
    assert len(folder.train) == 30 and len(folder.test) == 40
    assert folder.categories == sorted(Creatures.SPECIES)
    np.testing.assert_array_equal(folder.train.images(), drawn.images[:30])
    np.testing.assert_array_equal(folder.test.images(), drawn.images[30:70])
    np.testing.assert_array_equal(folder.test.centres, drawn.centres[30:70])
    assert folder.test.labels == drawn.label_names[30:70]
    assert folder.part_names == PARTS
    fox = ImageFolder(path, image_size=(48, 48), category="fox")
    assert set(fox.test.labels) == {"fox"}
    with pytest.raises(DataError, match=r"parts\.csv already"):
        creatures.write_folder(path, 1, 1)


def test_sizes_in_the_table(tmp_path, drawn):
    from keras_explainer.datasets import PartTable

    path = Creatures(seed=2).write_folder(tmp_path, 0, 12, start=5)
    table = PartTable.read(path / "parts.csv")
    assert table.files[0] == "images/000005.png"
    boxes = drawn.boxes[5:17]
    np.testing.assert_array_equal(table.sizes, boxes[..., 2:] - boxes[..., :2])


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        Creatures().write_folder(tmp_path / "file", 1, 1)
    with pytest.raises(ConfigError, match="at least one image"):
        Creatures().write_folder(tmp_path, 0, 0)


@pytest.mark.tensorflow
def test_tf_dataset(drawn):
    dataset = Creatures(seed=2).tf_dataset(20, 8, start=30)
    assert len(dataset) == 3
    for _ in range(2):
        batches = list(dataset.as_numpy_iterator())
        assert [len(images) for images, _ in batches] == [8, 8, 4]
        images = np.concatenate([images for images, _ in batches])
        np.testing.assert_array_equal(images, drawn.images[30:50])
        labels = np.concatenate([labels for _, labels in batches])
        np.testing.assert_array_equal(labels, drawn.labels[30:50])
    model = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 255),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(7),
        ]
    )
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert np.isfinite(model.fit(dataset, verbose=0).history["loss"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 31}, "image_size is a whole number from 32 to 512; got 31"),
        ({"image_size": (96, 2000)}, "from 32 to 512; got 2000"),
        ({"image_size": (96, 96, 3)}, r"\(height, width\); got \(96, 96, 3\)"),
        ({"image_size": 96.5}, "whole number.*96.5"),
        ({"image_size": "96"}, "got '96'"),
        ({"species": ["foxx"]}, "no 'foxx'.*fox"),
        ({"species": "fox"}, "list of names"),
        ({"species": []}, "and some"),
        ({"species": ["fox", "fox"]}, "at most once"),
        ({"seed": -1}, "seed is a whole number from 0; got -1"),
        ({"seed": True}, "got True"),
        ({"absent_share": 1.2}, "from 0 to 1; got 1.2"),
        ({"absent_share": float("nan")}, "from 0 to 1; got nan"),
        ({"clutter": -1}, "clutter"),
        ({"distractors": 51}, "0 to 50; got 51"),
        ({"occluders": 1.5}, "occluders"),
        ({"companions": 11}, "companions"),
        ({"without": ["ears"]}, "without: there is no 'ears'"),
        ({"without": PARTS}, "leaves no part"),
        ({"background_seed": "a"}, "background_seed"),
        ({"coat_seed": -3}, "coat_seed"),
    ],
)
def test_arguments_that_are_not_accepted(arguments, message):
    with pytest.raises(ConfigError, match=message):
        Creatures(**arguments)


def test_counts_that_are_not_accepted():
    creatures = Creatures()
    for method in (creatures.generate, creatures.image_array):
        with pytest.raises(ConfigError, match="count is a whole number from 1; got 0"):
            method(0)
        with pytest.raises(ConfigError, match="start is a whole number from 0"):
            method(1, start=-1)
    with pytest.raises(ConfigError, match="batch_size"):
        creatures.batches(4, 0)
    with pytest.raises(ConfigError, match="batch_size"):
        creatures.tf_dataset(4, 0)
