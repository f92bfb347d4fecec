"""Public weights files: downloaded, checked, kept; and what is said without them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import keras
import pytest
from keras_explainer.zoo import ZooConfig, teacher
from keras_explainer.zoo.public_weights import fetch_weights, weights_place
from keras_explainer.zoo.zoo_config import Weights

from keras_explainer.errors import ConfigError, TeacherError, ZooError

pytestmark = pytest.mark.one_backend
CONTENT = b"weights"


def weights(**changes) -> Weights:
    values = {
        "file": "some.h5",
        "url": "https://example.org/some.h5",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "licence": "MIT",
        "licence_source": "a test",
    }
    return Weights(**{**values, **changes})


@pytest.fixture
def served(tmp_path: Path, monkeypatch) -> list[str]:
    """A server of `CONTENT` instead of a network; the addresses asked for."""
    asked = []

    def get_file(name: str, url: str, cache_dir: str) -> str:
        asked.append(url)
        path = Path(cache_dir) / name
        path.write_bytes(CONTENT)
        return str(path)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_EXPLAINER_CACHE", str(tmp_path / "cache"))
    return asked


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_downloaded_once(served, tmp_path: Path) -> None:
    path = fetch_weights(weights())
    assert path == weights_place(weights()) and path.read_bytes() == CONTENT
    assert fetch_weights(weights()) == path
    assert served == ["https://example.org/some.h5"]
    assert files(tmp_path / "cache") == ["some.h5"]


@pytest.mark.parametrize("kind", ["sha256", "md5"])
def test_another_file_is_kept_out_of_the_cache(kind, served, tmp_path: Path) -> None:
    wrong = {"sha256": None, kind: "0" * (64 if kind == "sha256" else 32)}
    with pytest.raises(ZooError, match=f"its {kind} is .* It was not kept"):
        fetch_weights(weights(**wrong))
    assert files(tmp_path / "cache") == []
    # One that was put there by hand is not used.
    place = weights_place(weights())
    place.write_bytes(b"other")
    with pytest.raises(ZooError, match="Delete it"):
        fetch_weights(weights())


def test_md5_where_no_sha256_is_known(served) -> None:
    md5 = hashlib.md5(CONTENT).hexdigest()
    assert fetch_weights(weights(sha256=None, md5=md5)).is_file()


def test_without_any_hash_it_says_so(served, caplog) -> None:
    assert fetch_weights(weights(sha256=None)).is_file()
    assert "unverified" in caplog.text


def test_no_network_says_which_file_to_put_where(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_EXPLAINER_CACHE", str(tmp_path / "cache"))

    def offline(*args, **kwargs):
        raise Exception("URL fetch failure: no route")  # as Keras does

    monkeypatch.setattr(keras.utils, "get_file", offline)
    with pytest.raises(ZooError) as caught:
        teacher("VGG-M")
    message = str(caught.value)
    place = tmp_path / "cache" / "weights" / "imagenet-vgg-m.mat"
    assert f"Put the file at {place}" in message
    assert "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-m.mat" in message
    assert files(tmp_path / "cache") == []


def test_a_teacher_of_public_weights(tmp_path: Path, monkeypatch) -> None:
    """As a user has it who put the file where the message says."""
    monkeypatch.setenv("KERAS_EXPLAINER_CACHE", str(tmp_path))
    config = ZooConfig.named("MobileNetV3Small")
    small = {"input_shape": (64, 64, 3)}
    random = teacher(config, weights=None, **small)
    for number, weight in enumerate(random.model.weights):
        weight.assign(weight + 0.01 * (number % 7 + 1))
    path = tmp_path / "mine.weights.h5"
    random.model.save_weights(path)
    # The configured hash is of the published file: this is another one.
    place = weights_place(config.weights[0])
    place.parent.mkdir()
    shutil.copy(path, place)
    with pytest.raises(ZooError, match="is not the published file"):
        teacher(config, **small)
    place.unlink()
    named = "weights_mobilenet.weights.h5"
    own = config.weights[0].model_copy(update={"file": named, "md5": None})
    changed = config.model_copy(update={"weights": (own,)})
    shutil.copy(path, weights_place(own))
    found = teacher(changed, **small)
    assert found.fingerprint == teacher(config, weights=path, **small).fingerprint
    with pytest.raises(ConfigError, match="with classes give the path"):
        teacher(config, classes=3)
    with pytest.raises(TeacherError, match=r"MobileNetV3Small .*do not fit"):
        teacher(config, weights=path, classes=3, **small)
