"""`VersionStatus`: whether a version of a model can be asked."""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("UNKNOWN", "START", "LOADING", "AVAILABLE", "UNLOADING", "END")


@dataclass(frozen=True)
class VersionStatus:
    """What a server says of a version.

    Attributes:
        version: Its number.
        state: "START", "LOADING", "AVAILABLE", "UNLOADING", "END" or "UNKNOWN"; it
            answers when it is "AVAILABLE".
        error: Why it could not be loaded; '' if nothing is wrong.
    """

    version: int
    state: str
    error: str = ""

    @property
    def available(self) -> bool:
        """Whether it answers."""
        return self.state == "AVAILABLE"

    def __str__(self) -> str:
        why = f" ({self.error})" if self.error else ""
        return f"{self.version} {self.state}{why}"
