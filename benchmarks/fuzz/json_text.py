"""JSON as hostile files have it: deep, with NaN, with huge numbers."""

from __future__ import annotations

import json
from typing import Any


def json_text(tree: Any) -> bytes:
    """`tree` as JSON, however deep; lone surrogates stay escaped."""
    deep, inner = 0, tree
    while isinstance(inner, list) and len(inner) == 1:
        deep, inner = deep + 1, inner[0]
    try:
        return b"[" * deep + json.dumps(inner).encode() + b"]" * deep
    except (RecursionError, ValueError):  # deep inside, or digits beyond the limit
        return b'{"a":' * 3_000 + b"1" + b"}" * 3_000
