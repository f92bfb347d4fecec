"""Keeps libraries from writing messages of their start to the terminal."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextmanager
def quiet_start() -> Iterator[None]:
    """What libraries write to standard error in this block is shown only if it raises.

    TensorFlow's C++ part writes there before any of its settings is read. Its Python
    part gives advice to who writes the functions that it compiles, later too: errors
    alone are let through. A user who has set `TF_CPP_MIN_LOG_LEVEL` sees everything.
    """
    if LEVEL in os.environ:
        yield
        return
    os.environ[LEVEL] = "2"
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            _restore(kept)
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace"))
            raise
        _restore(kept)


def _restore(kept: int) -> None:
    sys.stderr.flush()
    os.dup2(kept, 2)
    os.close(kept)
