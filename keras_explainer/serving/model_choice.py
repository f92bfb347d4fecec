"""`ModelChoice`: which model of a server, and which version of it."""

from __future__ import annotations

from dataclasses import dataclass

from keras_explainer.errors import ConfigError, whole_number


@dataclass(frozen=True)
class ModelChoice:
    """A model by name, and a version by number, by label, or the latest.

    Attributes:
        name: Of the model on the server.
        version: Number from 1, or None.
        label: Such as "stable", or None. One of both at most.
    """

    name: str
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        for what, text in (("model", self.name), ("label", self.label)):
            if text is None:
                continue
            if not isinstance(text, str) or not text or set(text) & set("/:"):
                raise ConfigError(
                    f"{what} is a name without '/' and ':', got {text!r}."
                )
        if self.version is not None:
            whole_number("version", self.version)
            if self.label is not None:
                raise ConfigError(
                    "A version is chosen by number or label, not by both."
                )

    def __str__(self) -> str:
        text = f"model '{self.name}'"
        if self.version is not None:
            text += f", version {self.version}"
        return text + (f", label '{self.label}'" if self.label is not None else "")
