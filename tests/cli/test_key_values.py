"""How options are read."""

from __future__ import annotations

import pytest

from keras_explainer.cli.key_values import image_size, key_values
from keras_explainer.cli.output import picture_names
from keras_explainer.errors import ConfigError


def test_values_are_read_as_python_and_json_write_them():
    given = ["a=0.75", "b=True", "c=false", "d=None", "e=null", "f=word", "g=[1, 2]"]
    given += ["h=(1, 2)", "i=", "j=a=b", "k='1'", "l=1e-3", "m=12"]
    assert key_values(given, "--set") == {
        "a": 0.75,
        "b": True,
        "c": False,
        "d": None,
        "e": None,
        "f": "word",
        "g": [1, 2],
        "h": (1, 2),
        "i": "",
        "j": "a=b",
        "k": "1",
        "l": 1e-3,
        "m": 12,
    }
    assert key_values(None, "--set") == {}


@pytest.mark.parametrize("given", [["eta"], ["=1"], [" =1"], ["a=1", "a=2"], [""]])
def test_no_key_and_value(given):
    with pytest.raises(ConfigError, match="--set"):
        key_values(given, "--set")


def test_image_sizes():
    assert image_size(None) is None
    assert image_size("224") == (224, 224)
    assert image_size("224x160") == (224, 160)
    assert image_size("224X160x1") == (224, 160, 1)
    for wrong in ("", "x", "0", "-3", "1x2x3x4", "2.5", "²", "a"):
        with pytest.raises(ConfigError, match="--image-size"):
            image_size(wrong)


def test_pictures_have_names_of_their_own(tmp_path):
    files = [tmp_path / name for name in ("a.jpg", "b/a.png", "A.png", "c.d.jpg")]
    assert picture_names(files) == ["a.png", "a-2.png", "A-3.png", "c.d.png"]
