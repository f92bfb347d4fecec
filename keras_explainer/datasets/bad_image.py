"""A file that could not be used as an image, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BadImage:
    """One file that was left out.

    Attributes:
        path: the file as it was given (relative to its folder, where it has one).
        reason: why it cannot be used, as a sentence part: 'is empty (0 bytes)'.
    """

    path: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """`{"path": ..., "reason": ...}` for JSON."""
        return {"path": self.path, "reason": self.reason}
