"""The shipped teacher of creatures: its file, its accuracy, and what it looks at."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from keras_explainer.datasets.creatures import Creatures
from keras_explainer.teachers import Teacher

FOLDER = Path(__file__).resolve().parents[3] / "zoo" / "creatures"
IMAGES = 420
"""Of a seed that was neither learned from nor reported on."""
SEED = 77


@pytest.fixture(scope="module")
def record():
    return json.loads((FOLDER / "teacher.json").read_text())


@pytest.fixture(scope="module")
def teacher(record):
    return Teacher.from_file(
        FOLDER / record["file"],
        tap=record["tap"],
        targets=record["targets"],
        preprocessing=record["preprocessing"],
        labels=record["labels"],
    )


@pytest.fixture(scope="module")
def answers(teacher):
    """Answers and labels for creatures drawn with some changes."""

    def answer(**changes):
        drawn = Creatures(96, seed=SEED, **changes).generate(IMAGES)
        outputs = teacher.classify(drawn.images, batch_size=64)["outputs"]
        return outputs.argmax(-1), drawn.labels

    return answer


@pytest.fixture(scope="module")
def plain(answers):
    return answers()


def test_file(record):
    data = (FOLDER / record["file"]).read_bytes()
    assert hashlib.sha256(data).hexdigest() == record["sha256"]
    assert len(data) == record["bytes"] < 3_000_000


def test_record(record, teacher):
    assert tuple(record["labels"]) == Creatures.SPECIES
    assert list(teacher.tap_shape) == record["tap_shape"] == [12, 12, 64]
    assert list(teacher.input_shape) == record["input_shape"] == [96, 96, 3]
    assert teacher.has_head and teacher.num_outputs == len(Creatures.SPECIES)
    assert record["figures"]["accuracy"] >= 0.95


def test_accuracy_on_fresh_images(record, plain):
    answer, labels = plain
    accuracy = (answer == labels).mean()
    # Three standard deviations of a share of so many images.
    stated = record["figures"]["accuracy"]
    assert accuracy > stated - 3 * np.sqrt(stated * (1 - stated) / IMAGES)


def test_backgrounds_matter_little(answers, plain):
    """The same creatures before others' backgrounds get the same answers."""
    other, labels = answers(background_seed=5)
    assert (other == plain[0]).mean() > 0.9
    assert abs((other == labels).mean() - (plain[0] == labels).mean()) < 0.04


def test_colours_matter_little(answers, plain):
    """Species share colours and patterns."""
    other, _ = answers(coat_seed=5)
    assert (other == plain[0]).mean() > 0.9


def test_parts_matter(answers, plain):
    """Species differ by parts: without heads, it is wrong far more often."""
    answer, labels = plain
    wrong = (answer != labels).mean()
    headless, _ = answers(without=["head"])
    assert (headless != labels).mean() > 3 * wrong
    only_bodies, _ = answers(without=["head", "legs", "tail", "wings"])
    assert (only_bodies != labels).mean() > 0.4


def test_features_are_alive(teacher):
    """Most channels of the tap fire, and not on every image's same spot."""
    drawn = Creatures(96, seed=SEED).generate(64)
    maps, targets = teacher.extract(drawn.images)
    flat = maps.reshape(64, 144, 64)
    fires = flat.max(1) > 0
    assert (fires.mean(0) > 0.05).mean() > 0.8
    spread = flat.argmax(1).std(0)
    assert np.median(spread) > 15
    assert np.isfinite(targets["relu_8"]).all()
