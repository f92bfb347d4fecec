"""The finished rows of a benchmark, kept in a file so that it can go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that are finished; none where there is no file."""
    return json.loads(path.read_text()) if path.exists() else []
