"""Config objects to and from JSON, strictly: unknown names and types are refused."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from keras_explainer.errors import ConfigError, did_you_mean

T = TypeVar("T")


def read_config(cls: type[T], values: Any, where: str) -> T:
    """An instance of the dataclass `cls` from a dict of its fields.

    Args:
        cls: a dataclass; nested dataclasses are read from nested dicts.
        values: what JSON gave.
        where: what `values` are, for messages: "data".

    Raises:
        ConfigError: no dict, an unknown or missing name, a value of another type or one
            that `cls` does not accept.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} must be an object, got {_shown(values)}.")
    known = {field.name: field for field in _fields(cls)}
    hints = get_type_hints(cls)
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{where} has no setting {name!r}. {did_you_mean(str(name), known)}"
            )
    required = [
        name
        for name, field in known.items()
        if field.default is MISSING and field.default_factory is MISSING
    ]
    if missing := [name for name in required if name not in values]:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
    given = {
        name: _value(hints[name], value, f"{where}.{name}")
        for name, value in values.items()
    }
    return cls(**given)


def check_types(cls: Any, values: Mapping[str, Any], where: str) -> None:
    """Refuses values whose type is not that of the field of their name.

    Args:
        cls: a dataclass.
        values: `{field: value}`; names that are no field are passed over.
        where: what `values` are, for messages.

    Raises:
        ConfigError: a value of another type.
    """
    hints = get_type_hints(cls)
    for name, value in values.items():
        if name in hints:
            _value(hints[name], value, f"{where}.{name}")


def check_instance(config: Any, where: str) -> None:
    """`check_types` for all fields of a dataclass instance."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    check_types(type(config), values, where)


def to_json(config: Any) -> Any:
    """A config object as JSON-able values; tuples become lists."""
    if is_dataclass(config):
        return {f.name: to_json(getattr(config, f.name)) for f in fields(config)}
    if isinstance(config, Mapping):
        return {str(name): to_json(value) for name, value in config.items()}
    if isinstance(config, list | tuple):
        return [to_json(value) for value in config]
    return config


def _fields(cls: Any) -> tuple[Field[Any], ...]:
    return fields(cls)


def _value(hint: Any, value: Any, where: str) -> Any:
    """`value` as a field of type `hint` holds it."""
    choices = get_args(hint) if _is_union(hint) else (hint,)
    for choice in choices:
        if is_dataclass(choice) and isinstance(value, Mapping):
            return read_config(choice, value, where)  # type: ignore[arg-type]
    for choice in choices:
        if _fits(choice, value):
            return tuple(value) if get_origin(choice) is tuple else value
    raise ConfigError(f"{where} must be {_named(choices)}, got {_shown(value)}.")


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _fits(hint: Any, value: Any) -> bool:
    if hint is Any:
        return True
    if hint is type(None):
        return value is None
    if hint is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        # Not NaN, not infinite, and no whole number that no float can hold.
        return number and abs(value) <= sys.float_info.max
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    origin = get_origin(hint) or hint
    if origin is tuple:
        parts = get_args(hint)
        if not isinstance(value, list | tuple):
            return False
        if len(parts) == 2 and parts[1] is Ellipsis:
            return all(_fits(parts[0], item) for item in value)
        return len(value) == len(parts) and all(map(_fits, parts, value))
    return isinstance(value, origin)


def _named(choices: tuple[Any, ...]) -> str:
    names = {
        type(None): "null",
        float: "a finite number",
        int: "a whole number",
        str: "text",
        bool: "true or false",
        dict: "an object",
    }
    return " or ".join(
        names.get(get_origin(c) or c, "a list" if get_origin(c) is tuple else str(c))
        for c in choices
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
