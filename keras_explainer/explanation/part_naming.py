"""Part names as a user may give them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from keras_explainer.errors import DataError
from keras_explainer.results import PartNames

if TYPE_CHECKING:
    from keras_explainer.explainer import Explainer


def resolve_part_names(explainer: Explainer, given: Any) -> PartNames | None:
    """Names of this explainer's filters.

    Args:
        explainer: Whose filters.
        given: `PartNames`, {filter: name}, the path of a file of names, or None.

    Raises:
        DataError: Something else, names of other filters.
    """
    if given is None:
        return None
    if isinstance(given, str | os.PathLike):
        given = PartNames.load_json(given)
    elif isinstance(given, Mapping):
        given = PartNames.by_hand(given, explainer.part_count)
    if not isinstance(given, PartNames):
        raise DataError(
            "part_names are PartNames, a dict {filter: name} or the path of a file of "
            f"names, got {type(given).__name__}."
        )
    given.check_fits(explainer.part_count, explainer.filters_fingerprint)
    return given
