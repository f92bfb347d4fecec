"""The zoo's explainer that RUN|NAME names where it is no folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_explainer.errors import RunError, did_you_mean


def zoo_explainer(name: str, weights: Path | None) -> Any:
    """Loads an explainer of the zoo.

    Args:
        name: what was given, no path that exists.
        weights: of `--weights`, which the zoo's explainers do not take.

    Raises:
        RunError: there is no such explainer; or weights are given.
    """
    from keras_explainer.zoo import ZooEntry, load

    entries = ZooEntry.names()
    if name not in entries:
        raise RunError(
            f"{name} is neither the folder of a run nor an explainer of the zoo. "
            f"{did_you_mean(name, entries)}"
        )
    if weights is not None:
        raise RunError(
            f"--weights is for the teacher of a run; {name} of the zoo has its own."
        )
    return load(name)
