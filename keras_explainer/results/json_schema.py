"""The JSON schema of explanations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `Explanations.to_dict` gives.

    It is the file `explanations.schema.json` beside this module; `$defs/explanation` in
    it is that of a single `Explanation`.
    """
    path = Path(__file__).with_name("explanations.schema.json")
    return json.loads(path.read_text(encoding="utf-8"))
