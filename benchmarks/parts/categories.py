"""Which categories settings may be chosen on."""

from __future__ import annotations

TUNING = ("dog", "cat", "lion", "horse", "koala", "squirrel", "rabbit", "goldfish")
"""The other twelve are for reporting."""
