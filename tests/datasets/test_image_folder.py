"""ImageFolder: layouts, categories, splits, and what train may not see."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from keras_explainer.datasets import ImageFolder, PartTable
from keras_explainer.errors import ConfigError, DataError

SIZE = (6, 5)


def image(path, seed=0, size=(10, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def classes(root, **counts):
    for name, count in counts.items():
        for i in range(count):
            image(root / name / f"{i:02}.png", seed=i)
    return root


def annotated(root, split=True, count=12):
    """`a/..` dogs and `b/..` cats in turn; every third row has no annotation."""
    centres = np.full((count, 2, 2), np.nan)
    files = []
    for i in range(count):
        files.append(f"{'ab'[i % 2]}/{i:02}.png")
        image(root / files[-1], seed=i)
        if i % 3:
            centres[i, 0] = i % 10, i
    table = PartTable(
        files,
        ("head", "tail"),
        centres,
        np.full_like(centres, np.nan),
        names=["dog" if i % 2 == 0 else "wild cat" for i in range(count)],
        wnids=["n01" if i % 2 == 0 else "n02" for i in range(count)],
        splits=["test" if i % 4 < 2 else "train" for i in range(count)]
        if split
        else None,
    )
    table.write(root / "parts.csv")
    return table


def test_flat_folder(tmp_path):
    for i in range(10):
        image(tmp_path / f"{i}.PNG", seed=i)
    (tmp_path / "notes.txt").write_text("no image")
    image(tmp_path / ".hidden.png")
    image(tmp_path / ".cache" / "x.png")
    image(tmp_path / "__MACOSX" / "x.png")
    folder = ImageFolder(tmp_path, image_size=SIZE)
    assert folder.files == [f"{i}.PNG" for i in range(10)] and len(folder) == 10
    assert folder.labels == [None] * 10 and folder.categories == []
    assert folder.part_names == () and folder.bad == []
    assert len(folder.train) == 8 and len(folder.test) == 2
    assert sorted(folder.train.files + folder.test.files) == folder.files
    assert not folder.test.has_annotations
    assert folder.test.centres.shape == (2, 0, 2)
    with pytest.raises(DataError, match="no test image has a part centre"):
        _ = folder.test.annotated


def test_class_folders(tmp_path):
    classes(tmp_path, cat=5, dog=10)
    folder = ImageFolder(tmp_path, image_size=SIZE)
    assert folder.categories == ["cat", "dog"]
    assert folder.labels == ["cat"] * 5 + ["dog"] * 10
    assert [folder.test.labels.count(c) for c in ("cat", "dog")] == [1, 2]
    dogs = ImageFolder(tmp_path, image_size=SIZE, category="dog")
    assert dogs.labels == ["dog"] * 10 and dogs.categories == ["cat", "dog"]
    assert set(dogs.test.files) <= set(folder.test.files)
    assert set(dogs.train.files) <= set(folder.train.files)
    with pytest.raises(DataError, match=r"no category 'dgo'. Nearest valid: dog"):
        ImageFolder(tmp_path, image_size=SIZE, category="dgo")


def test_nested_folders_by_path_or_by_unique_name(tmp_path):
    classes(tmp_path, **{"images/n01": 4, "images/n02": 4, "other/n02": 4})
    by_name = ImageFolder(tmp_path, image_size=SIZE, category="n01")
    by_path = ImageFolder(tmp_path, image_size=SIZE, category="images/n01/")
    assert (
        by_name.files == by_path.files == [f"images/n01/{i:02}.png" for i in range(4)]
    )
    assert len(by_name.test) == 1
    assert len(ImageFolder(tmp_path, image_size=SIZE, category="images").files) == 8
    with pytest.raises(DataError, match="several sub-folders: images/n02, other/n02"):
        ImageFolder(tmp_path, image_size=SIZE, category="n02")


@pytest.mark.parametrize("category", ["dog", "n01", "a"])
def test_category_of_a_table(tmp_path, category):
    table = annotated(tmp_path)
    folder = ImageFolder(tmp_path, image_size=SIZE, category=category)
    assert folder.files == list(table.files[::2])
    assert folder.labels == ["dog"] * 6 and folder.categories == ["dog", "wild cat"]
    assert folder.part_names == ("head", "tail")


def test_unknown_categories(tmp_path):
    annotated(tmp_path)
    with pytest.raises(DataError, match=r"no category 'wildcat'.*Nearest.*wild cat"):
        ImageFolder(tmp_path, image_size=SIZE, category="wildcat")
    for wrong in ("", 7):
        with pytest.raises(ConfigError, match="category must be a name"):
            ImageFolder(tmp_path, image_size=SIZE, category=wrong)
    flat = tmp_path / "flat"
    image(flat / "x.png")
    with pytest.raises(DataError, match="neither sub-folders nor a column"):
        ImageFolder(flat, image_size=SIZE, category="dog")


def test_a_split_column_is_obeyed(tmp_path):
    table = annotated(tmp_path)
    folder = ImageFolder(tmp_path, image_size=SIZE, test_share=0.5, seed=3)
    want = {"train": [], "test": []}
    for file, side in zip(table.files, table.splits, strict=True):
        want[side].append(file)
    assert folder.train.files == want["train"]
    assert folder.test.files == want["test"]
    record = folder.split_record()
    assert record == {
        **want,
        "how": "column",
        "seed": None,
        "share": None,
        "category": None,
    }
    assert json.loads(json.dumps(record)) == record


def test_test_centres_are_those_of_the_resized_image(tmp_path):
    table = annotated(tmp_path)
    test = ImageFolder(tmp_path, image_size=SIZE).test
    rows = [i for i, side in enumerate(table.splits) if side == "test"]
    expected = table.centres[rows] * [6 / 10, 5 / 20]
    np.testing.assert_allclose(test.centres, expected, rtol=1e-15)
    assert test.part_names == ("head", "tail") and test.has_annotations
    shown = test.annotated
    assert shown.files == [table.files[i] for i in rows if i % 3]
    np.testing.assert_array_equal(
        shown.centres, test.centres[[n for n, i in enumerate(rows) if i % 3]]
    )
    assert shown.labels == [table.names[i] for i in rows if i % 3]


def test_centres_of_a_turned_photograph_are_those_of_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 10)).save(tmp_path / "a.jpg", exif=exif)  # upright 20 x 10
    (tmp_path / "parts.csv").write_text("file,p_y,p_x,split\na.jpg,16,5,test\n")
    folder = ImageFolder(tmp_path, image_size=(40, 40))
    assert folder.test.centres.tolist() == [[[32, 20]]]
    (tmp_path / "parts.csv").write_text("file,p_y,p_x,split\na.jpg,5,16,test\n")
    with pytest.raises(
        DataError, match=r"line 2, 'a.jpg': 'p' at y=5, x=16 in 20 x 10"
    ):
        ImageFolder(tmp_path, image_size=(40, 40))


def test_train_rows_cannot_see_annotations(tmp_path):
    table = annotated(tmp_path)
    folder = ImageFolder(tmp_path, image_size=SIZE)
    train = folder.train
    match = "annotations of train rows are not available to learning"
    for subset in (train, train.subset([0, 1])):
        assert not subset.has_annotations
        for name in ("centres", "part_names", "annotated"):
            with pytest.raises(DataError, match=match):
                getattr(subset, name)
    # Not merely behind a door: no object that the folder holds has the numbers.
    seen = {id(folder)}
    heap, arrays = [folder], []
    while heap:
        value = heap.pop()
        if isinstance(value, np.ndarray):
            arrays.append(value)
            continue
        inside = list(getattr(value, "__dict__", {}).values())
        if isinstance(value, dict):
            inside += list(value.values())
        if isinstance(value, (list, tuple)):
            inside += list(value)
        for entry in inside:
            if id(entry) not in seen:
                seen.add(id(entry))
                heap.append(entry)
    numbers = np.concatenate([a[~np.isnan(a)].ravel() for a in arrays])
    rows = np.array(table.splits) == "test"
    test_numbers = (table.centres * [6 / 10, 5 / 20])[rows & table.annotated]
    assert len(numbers) == np.isfinite(test_numbers).sum() > 0


def test_a_changed_annotation_of_a_train_row_changes_nothing(tmp_path):
    table = annotated(tmp_path)
    before = ImageFolder(tmp_path, image_size=SIZE)
    centres = table.centres.copy()
    centres[np.array(table.splits) == "train"] = 3
    PartTable(
        table.files,
        table.parts,
        centres,
        table.sizes,
        names=table.names,
        splits=table.splits,
    ).write(tmp_path / "parts.csv")
    after = ImageFolder(tmp_path, image_size=SIZE)
    assert after.train.content_hash == before.train.content_hash
    np.testing.assert_array_equal(after.test.centres, before.test.centres)


def test_without_a_split_column_a_seeded_share_is_held_out(tmp_path):
    table = annotated(tmp_path, split=False, count=20)
    folder = ImageFolder(tmp_path, image_size=SIZE, test_share=0.3, seed=5)
    assert len(folder.test) == 6 and len(folder.train) == 14
    assert not set(folder.test.files) & set(folder.train.files)
    assert folder.test.labels.count("dog") == 3  # the same share of each category
    again = ImageFolder(tmp_path, image_size=(9, 9), test_share=0.3, seed=5)
    assert again.test.files == folder.test.files
    other = ImageFolder(tmp_path, image_size=SIZE, test_share=0.3, seed=6)
    assert other.test.files != folder.test.files
    rows = [table.files.index(file) for file in folder.test.files]
    assert rows == sorted(rows)  # table order
    assert len(folder.test.annotated) == sum(1 for row in rows if row % 3)
    record = folder.split_record()
    assert (record["how"], record["seed"], record["share"]) == ("held_out", 5, 0.3)
    assert record["test"] == folder.test.files


def test_the_order_of_rows_does_not_change_the_choice(tmp_path):
    table = annotated(tmp_path, split=False)
    first = set(ImageFolder(tmp_path, image_size=SIZE).test.files)
    turn = slice(None, None, -1)
    PartTable(
        table.files[turn],
        table.parts,
        table.centres[turn],
        table.sizes[turn],
        names=table.names[turn],
    ).write(tmp_path / "parts.csv")
    assert set(ImageFolder(tmp_path, image_size=SIZE).test.files) == first


def test_a_recorded_split_keeps_its_sides_when_files_are_added(tmp_path):
    classes(tmp_path, dog=10)
    record = json.loads(
        json.dumps(ImageFolder(tmp_path, image_size=SIZE, seed=6).split_record())
    )
    for i in range(30):
        image(tmp_path / "dog" / f"new{i}.png", seed=i)
    unaware = ImageFolder(tmp_path, image_size=SIZE, seed=6)
    assert set(unaware.test.files) & set(record["train"])  # what the record prevents
    folder = ImageFolder(tmp_path, image_size=SIZE, split=record)
    assert set(record["test"]) <= set(folder.test.files)
    assert not set(record["train"]) & set(folder.test.files)
    assert set(folder.test.files) - set(record["test"])  # new files are split as well
    assert folder.split_record()["seed"] == 6


def test_a_recorded_split_and_a_column(tmp_path):
    table = annotated(tmp_path)
    record = ImageFolder(tmp_path, image_size=SIZE).split_record()
    same = ImageFolder(tmp_path, image_size=SIZE, split=record)
    assert same.split_record() == record
    turned = ["test" if side == "train" else "train" for side in table.splits]
    PartTable(
        table.files, table.parts, table.centres, table.sizes, splits=turned
    ).write(tmp_path / "parts.csv")
    with pytest.raises(DataError, match="6 test rows were train rows"):
        ImageFolder(tmp_path, image_size=SIZE, split=record)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"how": "guess"}, "got 'guess'"),
        ({"train": None}, "keys how, seed"),
        ({"train": [["a"]]}, "keys how, seed"),
        ({"test": [1]}, "keys how, seed"),
        ({"train": ["a"], "test": ["a"]}, "both train and test"),
    ],
)
def test_foreign_records(tmp_path, change, match):
    classes(tmp_path, dog=3)
    record = {**ImageFolder(tmp_path, image_size=SIZE).split_record(), **change}
    with pytest.raises(DataError, match=match):
        ImageFolder(tmp_path, image_size=SIZE, split=record)


def test_few_images(tmp_path):
    image(tmp_path / "0.png")
    one = ImageFolder(tmp_path, image_size=SIZE)
    assert len(one.train) == 1
    with pytest.raises(DataError, match=r"no test images.*1 in all and test_share=0.2"):
        _ = one.test
    assert one.bad == []
    image(tmp_path / "1.png")
    two = ImageFolder(tmp_path, image_size=SIZE, test_share=0.9)
    assert len(two.train) == len(two.test) == 1
    none = ImageFolder(tmp_path, image_size=SIZE, test_share=0)
    assert len(none.train) == 2
    with pytest.raises(DataError, match="no test images"):
        _ = none.test


def test_a_category_without_train_rows(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    (tmp_path / "parts.csv").write_text(
        "file,name,split\na.png,dog,test\nb.png,cat,train\n"
    )
    dog = ImageFolder(tmp_path, image_size=SIZE, category="dog")
    assert len(dog.test) == 1
    with pytest.raises(DataError, match=r"no train images of category 'dog'.*'split'"):
        _ = dog.train


def test_no_images_and_no_folder(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"no images .*\.bmp, \.gif, \.jpeg") as info:
        ImageFolder(tmp_path, image_size=SIZE)
    assert str(tmp_path) in str(info.value)
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"no folder .*fotos. Nearest valid: photos"):
        ImageFolder(tmp_path / "fotos", image_size=SIZE)
    with pytest.raises(DataError, match="is a file, not a folder"):
        ImageFolder(tmp_path / "a.txt", image_size=SIZE)


def test_which_table(tmp_path):
    annotated(tmp_path)
    ignored = ImageFolder(tmp_path, image_size=SIZE, parts_csv=False)
    assert ignored.categories == ["a", "b"] and ignored.part_names == ()
    other = tmp_path / "sub" / "mine.csv"
    other.parent.mkdir()
    other.write_text("file,eye_y,eye_x\na/00.png,1,2\na/02.png,1,2\n")
    mine = ImageFolder(tmp_path, image_size=SIZE, parts_csv=other)
    assert mine.files == ["a/00.png", "a/02.png"] and mine.part_names == ("eye",)
    with pytest.raises(DataError, match=r"none.csv: there is no such part table"):
        ImageFolder(tmp_path, image_size=SIZE, parts_csv=tmp_path / "none.csv")
    os.remove(tmp_path / "parts.csv")
    with pytest.raises(DataError, match=r"parts.csv: there is no such part table"):
        ImageFolder(tmp_path, image_size=SIZE, parts_csv=True)


def test_bad_files_are_listed_or_raise(tmp_path):
    annotated(tmp_path)
    (tmp_path / "a" / "04.png").write_bytes(b"")  # an annotated test row
    (tmp_path / "b" / "03.png").write_bytes(b"text")  # a train row
    folder = ImageFolder(tmp_path, image_size=SIZE)
    assert len(folder.test) == 5 and "a/04.png" not in folder.test.files
    assert len(folder.test.centres) == 5 and len(folder.train) == 5
    assert [entry.path for entry in folder.bad] == ["b/03.png", "a/04.png"]
    strict = ImageFolder(tmp_path, image_size=SIZE, on_bad="raise")
    with pytest.raises(DataError, match=r"a/04\.png is empty"):
        len(strict.test)


def test_links(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    classes(root, dog=3)
    image(outside / "secret.png")
    (root / "dog" / "out.png").symlink_to(outside / "secret.png")
    (root / "evil").symlink_to(outside)
    (root / "dog" / "00again.png").symlink_to(root / "dog" / "00.png")
    (root / "same").symlink_to(root / "dog")
    image(root / ".store" / "x.png", seed=9)
    (root / "dog" / "kept.png").symlink_to(root / ".store" / "x.png")
    folder = ImageFolder(root, image_size=SIZE)
    assert folder.files == ["dog/00.png", "dog/01.png", "dog/02.png", "dog/kept.png"]
    assert [entry.path for entry in folder.refused] == ["dog/out.png", "evil"]
    assert folder.bad == folder.refused
    assert len(folder.train) + len(folder.test) == 4
    with pytest.raises(DataError, match=r"dog/out\.png is a symbolic link"):
        ImageFolder(root, image_size=SIZE, on_bad="raise")


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"test_share": 1}, "test_share"),
        ({"test_share": -0.1}, "test_share"),
        ({"test_share": "half"}, "test_share"),
        ({"test_share": float("nan")}, "test_share"),
        ({"seed": 1.5}, "seed"),
        ({"on_bad": "no"}, "on_bad"),
        ({"channels": 2}, "channels"),
        ({"image_size": 5}, "image_size"),
    ],
)
def test_arguments(tmp_path, arguments, match):
    with pytest.raises(ConfigError, match=match):
        ImageFolder(tmp_path, **{"image_size": SIZE, **arguments})
