"""Errors as text: what files hold is quoted, and may be made to deceive."""

from __future__ import annotations

import inspect

import pytest

from keras_explainer import errors
from keras_explainer.errors import DataError, KerasExplainerError

pytestmark = pytest.mark.one_backend


def test_every_error_is_of_the_package():
    found = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, Exception)
    ]
    assert len(found) > 15
    assert all(issubclass(value, KerasExplainerError) for value in found)


def test_a_message_has_a_bound():
    text = str(DataError("begin " + "x" * 10**6 + " end"))
    assert len(text) <= errors.MOST_LETTERS
    assert text.startswith("begin x") and text.endswith("x end") and "[…]" in text


def test_control_characters_do_not_reach_terminal_or_log():
    text = str(
        DataError("a.png\x1b[2J\x1b[31m\r\x07 \x9b1m \u202egnp.exe\u2028ERROR: b")
    )
    assert text == (
        "a.png\\x1b[2J\\x1b[31m\\x0d\\x07 \\x9b1m \\u202egnp.exe\\u2028ERROR: b"
    )
    assert str(DataError("two\nlines\tand é 漢")) == "two\nlines\tand é 漢"
