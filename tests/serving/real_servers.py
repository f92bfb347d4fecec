"""The addresses of real servers that the tests ask too."""

from __future__ import annotations

import os

REAL = [one for one in os.environ.get("TF_SERVING_ADDRESS", "").split(",") if one]
