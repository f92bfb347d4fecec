"""Loads a file of a Keras model that somebody else made: safe mode, and bounds."""

from __future__ import annotations

import math
import re
import stat
import threading
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import h5py
import keras

from keras_explainer.errors import one_line

FREE_BYTES = 64 << 20
"""Memory that a file may ask for whatever its own size is."""
MOST_TIMES = 20
"""How often its own size a file may unpack to; Keras does not pack what it writes."""
_PATCHING = threading.RLock()


def load_model_archive(
    path: Path, custom_objects: dict[str, Any] | None = None
) -> keras.Model:
    """Loads a .keras or .h5 file, without its compile state.

    In safe mode, so that no code in it is run. What it says of its own size is not
    believed: it unpacks to no more than 20 times its size and 64 MiB; its arrays, and
    the weights of the layers that it describes, have no more bytes than twice what it
    holds, and 64 MiB. A file that lacks the weights of a layer is no model either.

    Args:
        path: the file.
        custom_objects: classes that the file names, as for `keras.saving.load_model`.

    Raises:
        Exception: whatever Keras, HDF5 or a layer raises of a file that is damaged or
            hostile; callers make it their own error with `reason`.
    """
    held = path.stat().st_size
    if path.suffix == ".keras":
        held = _check_members(path, held)
    elif h5py.is_hdf5(path):
        _check_arrays(path, 2 * held + FREE_BYTES)
    with _bounded_weights(2 * held + FREE_BYTES), warnings.catch_warnings():
        # Keras goes on with random weights, and warns.
        warnings.filterwarnings("error", message=".*freshly-initialized weights")
        return keras.saving.load_model(
            path, custom_objects=custom_objects, compile=False, safe_mode=True
        )


def reason(error: Exception) -> str:
    """Why a model could not be loaded, on one line, without the values of variables."""
    text = re.sub(r", value=.*", "", str(error), flags=re.DOTALL)
    text = one_line(text, 500) or type(error).__name__
    return text if text.endswith(".") else text + "."


def _check_members(path: Path, size: int) -> int:
    """Bytes that an archive holds; refuses members that are none of a model's."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    for member in members:
        place = PurePosixPath(member.filename)
        if place.is_absolute() or ".." in place.parts or "\\" in member.filename:
            raise ValueError(f"the member {member.filename[:80]!r} leaves the archive")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(f"the member {member.filename[:80]!r} is a link")
    if len(set(names)) < len(names):
        raise ValueError("a member is there twice")
    held = sum(member.file_size for member in members)
    if held > MOST_TIMES * size + FREE_BYTES:
        raise ValueError(
            f"it has {size} bytes and says that it unpacks to {held}, more than "
            f"{MOST_TIMES} times as many"
        )
    with zipfile.ZipFile(path) as archive:
        for name in names:
            if name.endswith(".h5"):
                with archive.open(name) as file:
                    _check_arrays(file, 2 * held + FREE_BYTES)
    return held


def _check_arrays(file: Any, most: int) -> None:
    """Refuses HDF5 arrays that are declared larger than what is there, or elsewhere."""
    declared = 0

    def look(name: str, node: Any) -> None:
        nonlocal declared
        if not isinstance(node, h5py.Dataset):
            return
        if node.external or node.is_virtual:
            raise ValueError(f"the array {name[:80]!r} lies in another file")
        declared += math.prod(node.shape or ()) * node.dtype.itemsize
        if declared > most:
            raise ValueError(
                f"its arrays have more than {most} bytes, more than the file holds"
            )

    with h5py.File(file, "r") as content:
        content.visititems(look)


@contextmanager
def _bounded_weights(most: int) -> Iterator[None]:
    """A context in which layers made by this thread get `most` bytes of weights.

    A layer's configuration is a line of text, and one number in it can ask for more
    memory than a machine has. Keras makes all weights by these two methods, and has no
    other place where their size can be looked at before it is taken.
    """
    mine, used = threading.get_ident(), 0
    owners = ((keras.Layer, "add_weight"), (keras.Metric, "add_variable"))
    originals = [getattr(owner, name) for owner, name in owners]

    def counted(original: Any) -> Any:
        def add(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal used
            if threading.get_ident() == mine:
                given = [one for one in args if not isinstance(one, str)]
                shape = kwargs.get("shape", given[0] if given else None)
                sides = [shape] if isinstance(shape, int) else list(shape or ())
                used += 4 * math.prod(max(0, int(side or 0)) for side in sides)
                if used > most:
                    raise ValueError(
                        f"its layers have more than {most} bytes of weights, more than "
                        "the file holds"
                    )
            return original(self, *args, **kwargs)

        return add

    with _PATCHING:
        try:
            for (owner, name), original in zip(owners, originals, strict=True):
                setattr(owner, name, counted(original))
            yield
        finally:
            for (owner, name), original in zip(owners, originals, strict=True):
                setattr(owner, name, original)
