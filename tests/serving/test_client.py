"""What a client gets: the same as from the explainer in the process itself."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import served_models
from compared import assert_same, first_parts, png
from served_models import LABELS, NAMES, PARTS

from keras_explainer.errors import (
    BadImageError,
    ConfigError,
    DataError,
    UnknownModelError,
    UnknownSignatureError,
    UnknownVersionError,
)
from keras_explainer.results import Explanations
from keras_explainer.serving import Client

ROOT = Path(__file__).resolve().parents[2]


def test_the_same_as_in_the_process(client, explainer, images):
    expected = explainer.explain(images, part_names=NAMES, verbose=0)
    found = client(label="stable").explain(images)
    assert found.version == 1
    assert isinstance(found, Explanations)
    assert_same(found.to_dict(), first_parts(expected))
    names = {part.name for item in found for part in item.parts}
    assert {"ear", "nose — right"} <= names
    assert Explanations.from_dict(found.to_dict()).to_dict() == found.to_dict()


def test_of_a_class_and_without_contributions(client, explainer, images):
    stable = client(version=1)
    for given, settings in (("cow", {}), (3, {"contributions": None})):
        expected = explainer.explain(
            images, given, part_names=NAMES, verbose=0, **settings
        )
        found = stable.explain(images, given, **settings)
        assert_same(found.to_dict(), first_parts(expected))


def test_encoded_images_and_files(client, explainer, images, tmp_path):
    expected = explainer.explain(images, part_names=NAMES, verbose=0)
    data = [png(image) for image in images]
    files = []
    for number, one in enumerate(data):
        files.append(tmp_path / f"{number} é.png")
        files[-1].write_bytes(one)
    stable = client(version=1, batch_size=2)
    found = stable.explain(data)
    assert_same(found.to_dict(), first_parts(expected))
    mixed = stable.explain([str(files[0]), data[1], *files[2:]])
    assert [item.image for item in mixed] == [
        str(files[0]),
        "image 1",
        *map(str, files[2:]),
    ]
    assert [item.index for item in mixed] == [0, 1, 2, 3, 4]
    single = stable.explain(files[3], names="mine")
    assert single[0].image == "mine"
    assert [part.filter for part in single[0].parts] == [
        part.filter for part in found[3].parts
    ]


def test_batches_are_split_and_go_to_one_version(local, server, images):
    found = local(batch_size=2).explain(images)
    assert len(found) == 5
    names = [name for name, _ in server.asked]
    assert names == ["describe"] + ["explain_contributions"] * 3
    # Without a version: the latest.
    assert {version for _, version in server.asked} == {2}
    assert found.version == 2
    done = []
    local(batch_size=2).explain(images, progress=lambda *one: done.append(one))
    assert done == [(2, 5), (4, 5), (5, 5)]


def test_large_requests_are_split_by_size(local, server, images):
    client = local(max_message_bytes=60_000)
    assert len(client.explain(images, contributions=None)) == 5
    asked = [name for name, _ in server.asked if name == "explain"]
    assert len(asked) > 1


def test_other_sizes_and_kinds_of_arrays(client, images):
    stable = client(version=1)
    with pytest.raises(DataError, match=r"images of shape .*3\], got \(5, 24, 32, 1\)"):
        stable.explain(images[..., :1])
    one = stable.explain(images[0], contributions=None)
    assert len(one) == 1
    doubled = images.repeat(2, axis=1).repeat(2, axis=2)
    again = stable.explain(doubled.astype("float64"), contributions=None)
    assert again[0].image_size == (24, 32)
    assert again[0].answer.score == pytest.approx(one[0].answer.score, abs=0.05)
    listed = stable.explain(list(images), contributions=None, k=2)
    assert len(listed) == 5
    assert max(len(item.parts) for item in listed) <= 2
    assert all(part.present for item in listed for part in item.parts)


def test_bad_images_are_named_and_the_others_are_right(client, explainer, images):
    expected = explainer.explain(images, part_names=NAMES, verbose=0)
    data = [png(image) for image in images]
    data[1], data[3] = b"no image", data[3][:60]
    stable = client(version=1)
    found = stable.explain(data, on_bad="skip")
    assert [item.index for item in found] == [0, 2, 4]
    assert list(found.bad) == [1, 3]
    assert all(found.bad.values())
    for item in found:
        assert_same(item.to_dict(), first_parts(expected)["explanations"][item.index])
    with pytest.raises(BadImageError, match=r"2 of 5 images.*image 1: ") as caught:
        stable.explain(data)
    assert caught.value.rows == found.bad
    assert caught.value.found.to_dict() == found.to_dict()

    wrong = images.astype("float32")
    wrong[0, 3, 3, 0] = np.nan
    wrong[4] = 300
    found = stable.explain(wrong, on_bad="skip")
    assert list(found.bad) == [0, 4]
    assert [item.index for item in found] == [1, 2, 3]
    with pytest.raises(BadImageError) as caught:
        stable.part_maps(wrong)
    assert set(caught.value.rows) == {0, 4}
    assert np.isnan(caught.value.found["part_maps"][0]).all()
    assert np.isfinite(caught.value.found["part_maps"][1]).all()


def test_files_that_cannot_be_read(client, images, tmp_path):
    good = tmp_path / "good.png"
    good.write_bytes(png(images[0]))
    found = client(version=1).explain([tmp_path / "none.png", good], on_bad="skip")
    assert [item.image for item in found] == [str(good)]
    assert "No such file" in found.bad[0]
    with pytest.raises(BadImageError, match=r"1 of 1.*none\.png.*No such file"):
        client(version=1).explain(tmp_path / "none.png")


def test_classify(client, explainer, images):
    expected = explainer.explain(images, contributions=None, verbose=0)
    data = [png(image) for image in images]
    found = client(version=1, batch_size=3).classify(data)
    for classes, item in zip(found, expected, strict=True):
        assert classes[0][0] == item.answer.label
        assert classes[0][1] == pytest.approx(item.answer.score, rel=1e-5)
        assert {label for label, _ in classes} == set(LABELS)
    with pytest.raises(BadImageError) as caught:
        client(version=1).classify([data[0], b"none"])
    assert set(caught.value.rows) == {1}
    assert caught.value.found[0][0][0] == expected[0].answer.label


def test_part_maps_and_reconstructions(client, explainer, images):
    stable = client(version=1, batch_size=2)
    maps = stable.part_maps(images)
    expected = explainer.predict(images, verbose=0)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, expected["part_maps"], rtol=1e-5, atol=1e-6)
    found = stable.reconstruct(images)
    assert set(found) == {"top"}
    np.testing.assert_allclose(
        found["top"], expected["reconstructions"]["top"], rtol=1e-5, atol=1e-6
    )


def test_a_teacher_without_an_answer(client, images):
    plain = served_models.plain().explain(images, verbose=0)
    found = client("plain").explain(images)
    assert_same(found.to_dict(), first_parts(plain))
    assert found[0].answer is None
    assert "no head" in found[0].no_contributions
    with pytest.raises(ConfigError, match="no class to explain"):
        client("plain").explain(images, 1)


def test_features_instead_of_images(client, explainer, images):
    """Of an export without the teacher."""
    expected = explainer.explain(images, part_names=NAMES, verbose=0)
    features = keras.ops.convert_to_numpy(
        explainer.teacher.lower(images.astype("float32"))
    )
    served = client("tap", batch_size=2)
    found = served.explain(features)
    assert_same(found.to_dict(), first_parts(expected))
    maps = served.part_maps(features)
    wanted = explainer.predict(images, verbose=0)["part_maps"]
    np.testing.assert_allclose(maps, wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="takes features"):
        served.explain(png(images[0]))
    with pytest.raises(DataError, match=r"takes features of shape .*6, 8, 12"):
        served.explain(images)


def test_description_metadata_status(client):
    stable = client(label="canary")
    about = stable.description()
    assert about.labels == tuple(LABELS)
    assert (about.image_size, about.channels) == ((24, 32), 3)
    assert (about.filters, about.part_count) == (6, PARTS + 1)
    metadata = stable.metadata()
    assert metadata.version == 2
    assert metadata.signatures["explain"].inputs["images"].shape == (
        None,
        None,
        None,
        3,
    )
    assert {one.version for one in stable.status() if one.available} == {1, 2}
    assert stable.ready()
    assert not client(version=7).ready()
    assert not client(label="none").ready()
    assert not client("none").ready()


def test_a_half_written_version_does_not_answer(client, images):
    half = client("half")
    states = {one.version: one for one in half.status()}
    assert states[1].available
    assert not states[2].available
    assert len(half.explain(images[:1])) == 1
    assert half.ready()
    assert not client("half", version=2).ready()


def test_unknown_models_versions_labels_and_endpoints(client, images):
    with pytest.raises(UnknownModelError, match="no model 'cat'"):
        client("cat").explain(images)
    with pytest.raises(UnknownModelError, match="no model 'cat'"):
        client("cat", version=3).explain(images)
    with pytest.raises(UnknownModelError):
        client("cat").status()
    with pytest.raises(UnknownVersionError, match=r"version 9.*versions: 1 AVAIL"):
        client(version=9).explain(images)
    with pytest.raises(UnknownVersionError, match=r"label 'beta'.*versions: 1 AVAIL"):
        client(label="beta").explain(images)
    with pytest.raises(UnknownSignatureError, match=r"'classify'.*explain"):
        client("plain").classify(png(images[0]))


def test_arguments_are_refused_before_anything_is_sent(local, server, images):
    small = local()
    with pytest.raises(DataError, match="no images"):
        small.explain([])
    with pytest.raises(DataError, match="5 images but 1 names"):
        small.explain(images, names=["a"])
    for wrong in (images[0, 0], images.astype(complex), object(), [1, 2], {"a": 1}):
        with pytest.raises(DataError, match=r"[Ii]mages"):
            small.explain(wrong)
    for settings in (
        {"on_bad": "keep"},
        {"contributions": "ablation"},
        {"k": 0},
        {"batch_size": 0},
        {"timeout": 0},
        {"timeout": float("nan")},
    ):
        with pytest.raises(ConfigError):
            small.explain(images, **settings)
    with pytest.raises(ConfigError, match="encoded"):
        small.classify(images)
    with pytest.raises(ConfigError, match="array"):
        small.part_maps(png(images[0]))
    assert not server.asked
    with pytest.raises(ConfigError, match=r"no class with the label 'cwo'.*cow"):
        small.explain(images, "cwo")
    with pytest.raises(ConfigError, match="out of range"):
        small.explain(images, 5)
    assert {name for name, _ in server.asked} == {"describe"}


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "ftp://host:1",
        "host",
        "host:port",
        "http://",
        "grpc://host:1/path",
        "a:99999",
    ],
)
def test_addresses_that_are_none(wrong):
    with pytest.raises(ConfigError, match="address"):
        Client(wrong, "small")


def test_settings_that_are_none():
    for settings in (
        {"version": 0},
        {"version": 1, "label": "a"},
        {"label": "a/b"},
        {"retries": -1},
        {"timeout": True},
        {"rest_form": "rows"},
        {"max_message_bytes": 0},
        {"headers": {"a": "b\r\nc: d"}},
        {"headers": {"a b": "c"}},
        {"headers": {"a": 1}},
    ):
        with pytest.raises(ConfigError):
            Client("http://host:1", "small", **settings)
    with pytest.raises(ConfigError, match="name"):
        Client("http://host:1", "a/b")


LIGHT = """
import sys
from importlib.machinery import PathFinder

names = {"keras", "tensorflow", "tensorflow_serving", "grpc", "typer", "pydantic"}
find = PathFinder.find_spec
PathFinder.find_spec = staticmethod(
    lambda name, path=None, target=None: None
    if name.partition(".")[0] in names else find(name, path, target)
)
from keras_explainer.serving import Client

client = Client(sys.argv[1], "small", version=1)
print(client.explain(open(sys.argv[2], "rb").read())[0].answer.label)
try:
    Client("localhost:1", "small")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_rest_needs_neither_keras_nor_tensorflow(server, explainer, images, tmp_path):
    (tmp_path / "image.png").write_bytes(png(images[0]))
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, server.rest, str(tmp_path / "image.png")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    label, refusal = done.stdout.splitlines()
    assert label == explainer.explain(images[:1], verbose=0)[0].answer.label
    assert "ConfigError" in refusal
    assert "keras-explainer[serving]" in refusal


def test_a_newer_version_while_asked(local, store, images):
    """The version that was found out is unloaded before the question comes."""
    small = local("half")
    taken = store.loaded["half"].pop(1)
    for version in (5, 6):
        store.loaded["half"][version] = copy.copy(taken)
        store.loaded["half"][version].version = version
    try:
        metadata = small._calls.transport.metadata

        def then_gone(choice, deadline):
            found = metadata(choice, deadline)
            store.loaded["half"].pop(6, None)
            return found

        small._calls.transport.metadata = then_gone
        assert small.explain(images[:1]).version == 5
    finally:
        store.loaded["half"] = {1: taken}
