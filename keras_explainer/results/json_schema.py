"""The JSON schemas of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from keras_explainer.errors import ConfigError, did_you_mean

KINDS = ("explanations", "summary")


def json_schema(kind: str = "explanations") -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `to_dict` of a result gives.

    Args:
        kind: "explanations", of `Explanations` (`$defs/explanation` in it is that of a
            single `Explanation`); "summary", of `ExplainerSummary`. It is the file
            `KIND.schema.json` beside this module.

    Raises:
        ConfigError: another kind.
    """
    if kind not in KINDS:
        raise ConfigError(
            f"kind is one of {', '.join(KINDS)}, got {kind!r}. "
            f"{did_you_mean(str(kind), KINDS)}"
        )
    path = Path(__file__).with_name(f"{kind}.schema.json")
    return json.loads(path.read_text(encoding="utf-8"))
