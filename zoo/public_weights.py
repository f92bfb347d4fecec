"""Public weights files: downloaded once, checked, and kept."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

from keras_explainer.errors import ZooError
from keras_explainer.teachers.fingerprint import file_sha256

from .zoo_config import Weights
from .zoo_file import cache_folder

logger = logging.getLogger(__name__)


def weights_place(weights: Weights) -> Path:
    """Where a public weights file is kept, or can be put by hand."""
    return cache_folder() / "weights" / weights.file


def fetch_weights(weights: Weights) -> Path:
    """The path of a public weights file, downloaded if it is not kept yet.

    A file that has another hash than the recorded one never comes into the cache, and
    one that lies there is not used. Where no hash is recorded the file is taken as it
    is, with a warning.

    Raises:
        ZooError: it cannot be downloaded (the message says where to put it), or has
            another hash.
    """
    place = weights_place(weights)
    if place.is_file():
        if problem := _mismatch(place, weights):
            raise ZooError(
                f"{place} is not the published file: {problem}. Delete it, to have it "
                "downloaded again."
            )
        return place
    import keras

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".tmp-", dir=place.parent) as folder:
            path = Path(
                keras.utils.get_file(weights.file, weights.url, cache_dir=folder)
            )
            if problem := _mismatch(path, weights):
                raise ZooError(
                    f"What {weights.url} gives is not the published file: {problem}. "
                    "It was not kept."
                )
            os.replace(path, place)
    except ZooError:
        raise
    # Keras raises a bare Exception for an address that does not answer.
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ZooError(
            f"{weights.file} cannot be had from {weights.url} ({reason}). Put the file "
            f"at {place} yourself and give the same command again, or give the path of "
            "a weights file."
        ) from error
    return place


def _mismatch(path: Path, weights: Weights) -> str | None:
    """How a file's hash differs from the recorded one, or None."""
    if weights.sha256 is not None:
        found, wanted, kind = file_sha256(path), weights.sha256, "sha256"
    elif weights.md5 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(
                file, lambda: hashlib.md5(usedforsecurity=False)
            )
        found, wanted, kind = digest.hexdigest(), weights.md5, "md5"
    else:
        logger.warning("No hash of %s is known: it is used unverified.", path.name)
        return None
    if found == wanted:
        return None
    return f"its {kind} is {found}, recorded is {wanted}"
