"""quiet_start: what TensorFlow says to those who write functions is not shown."""

from __future__ import annotations

import logging
import os
import sys

import pytest

from keras_explainer.cli.quiet_start import LEVEL, quiet_start


@pytest.fixture
def advice(monkeypatch):
    """TensorFlow's Python logger, as it is before a command starts."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    os.environ.pop(LEVEL, None)
    logger = logging.getLogger("tensorflow")
    before = logger.level
    logger.setLevel(logging.WARNING)
    yield logger
    logger.setLevel(before)


def test_errors_alone_are_let_through(advice):
    with quiet_start():
        pass
    assert not advice.isEnabledFor(logging.WARNING)
    assert advice.isEnabledFor(logging.ERROR)


def test_who_sets_the_level_sees_all(advice):
    os.environ[LEVEL] = "0"
    with quiet_start():
        pass
    assert advice.isEnabledFor(logging.WARNING)


def test_messages_are_shown_if_it_fails(advice, capfd):
    with quiet_start():
        os.write(2, b"a message\n")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError), quiet_start():
        os.write(2, b"another\n")
        raise ValueError
    sys.stderr.flush()
    assert "another" in capfd.readouterr().err
