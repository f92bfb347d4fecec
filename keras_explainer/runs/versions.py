"""The software that a run was made with."""

from __future__ import annotations

import platform

import keras
import numpy as np

from keras_explainer.version import __version__


def current_versions() -> dict[str, str]:
    """`{"keras_explainer": ..., "keras": ..., "backend": ..., ...}` of this process."""
    backend = keras.backend.backend()
    return {
        "keras_explainer": __version__,
        "keras": keras.__version__,
        "backend": backend,
        "backend_version": _backend_version(backend),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _backend_version(backend: str) -> str:
    from importlib import metadata

    for name in (backend, f"{backend}-cpu", f"{backend}-intel"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
