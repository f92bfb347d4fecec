"""The shared photographs with part centres."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_explainer.datasets import ImageFolder

SHARED = Path(
    os.environ.get(
        "KERAS_EXPLAINER_SHARED", Path(__file__).resolve().parents[3] / "shared"
    )
)
FOLDER = SHARED / "animalparts"

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (FOLDER / "parts.csv").is_file(),
        reason="the photographs (KERAS_EXPLAINER_SHARED) are not here",
    ),
]


@pytest.fixture(scope="module")
def rows():
    with open(FOLDER / "parts.csv", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["name"] == "dog"]


def test_dog(rows):
    dog = ImageFolder(FOLDER, category="dog", image_size=(224, 224))
    assert len(dog.train) == 296 and len(dog.test) == 134
    assert dog.bad == [] and len(dog.categories) == 20
    assert dog.part_names == dog.test.part_names == ("head", "legs")
    assert set(dog.train.labels) == {"dog"}
    for side in ("train", "test"):
        want = [row["file"] for row in rows if row["split"] == side]
        assert getattr(dog, side).files == want
    expected = [
        [
            [float(row[f"{part}_{axis}"] or "nan") for axis in "yx"]
            for part in ("head", "legs")
        ]
        for row in rows
        if row["split"] == "test"
    ]
    np.testing.assert_array_equal(dog.test.centres, expected)
    assert len(dog.test.annotated) == 134
    with Image.open(FOLDER / dog.train.files[5]) as image:
        np.testing.assert_array_equal(dog.train.images([5])[0], np.asarray(image))


def test_the_category_by_wnid_and_by_folder_is_the_same(rows):
    wnid = rows[0]["wnid"]
    by_wnid = ImageFolder(FOLDER, category=wnid, image_size=(96, 128))
    by_path = ImageFolder(FOLDER, category=f"images/{wnid}", image_size=(96, 128))
    assert by_wnid.files == by_path.files == [row["file"] for row in rows]
    test = by_wnid.test
    full = ImageFolder(FOLDER, category="dog", image_size=(224, 224)).test
    np.testing.assert_allclose(test.centres, full.centres * [96 / 224, 128 / 224])
    assert next(test.batches(16)).shape == (16, 96, 128, 3)
