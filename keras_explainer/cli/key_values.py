"""`key=value` options."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

from keras_explainer.errors import ConfigError


def key_values(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """`["alpha=0.75", "include_top=True"]` as a dict.

    A value is read as Python or JSON writes it (a number, `None`, `null`, `true`, a
    list); anything else is text.

    Args:
        given: what was typed.
        option: for messages, "--set".

    Raises:
        ConfigError: no `=`, an empty or a repeated key.
    """
    values: dict[str, Any] = {}
    for text in given or ():
        key, sign, value = text.partition("=")
        key = key.strip()
        if not sign or not key:
            raise ConfigError(
                f"{option} takes key=value, for instance {option} epochs=10; got "
                f"{text!r}."
            )
        if key in values:
            raise ConfigError(f"{option} has {key} twice.")
        values[key] = _value(value.strip())
    return values


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def image_size(text: str | None) -> tuple[int, ...] | None:
    """`"224"`, `"224x160"` or `"224x160x1"` as (height, width[, channels]).

    Raises:
        ConfigError: anything else.
    """
    if text is None:
        return None
    parts = text.lower().split("x")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if len(numbers) != len(parts) or not 1 <= len(parts) <= 3 or 0 in numbers:
        raise ConfigError(
            "--image-size is the side of a square, HEIGHTxWIDTH or "
            f"HEIGHTxWIDTHxCHANNELS in pixels, for instance 224x160; got {text!r}."
        )
    return (numbers[0], numbers[0]) if len(numbers) == 1 else tuple(numbers)
