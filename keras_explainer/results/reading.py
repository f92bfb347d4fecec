"""Reading results from JSON: what is foreign is refused with a clear message."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from keras_explainer.errors import DataError

SCHEMA_VERSION = 1

T = TypeVar("T")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file.

    Raises:
        DataError: There is no such file, or it is no JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON: {error}.") from error


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns errors of reading fields into a `DataError` about `what`."""
    try:
        yield
    except DataError:
        raise
    except KeyError as error:
        raise DataError(f"This is no {what}: the field {error} is missing.") from error
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(f"This is no {what}: {error}.") from error


def check_version(data: Mapping[str, Any], what: str) -> None:
    """Refuses what another version of the schema wrote.

    Raises:
        DataError: `data` is no dict, or its `schema_version` is another.
    """
    if not isinstance(data, Mapping):
        raise DataError(f"This is no {what}: a dict is needed, got {_kind(data)}.")
    version = data.get("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"This is no {what} that can be read: its schema_version is {version!r}, "
            f"this version of keras_explainer reads {SCHEMA_VERSION}."
        )


def number(value: Any) -> float:
    """A JSON number as float; text and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"a number is needed, got {value!r}")
    return float(value)


def whole(value: Any) -> int:
    """A JSON whole number as int."""
    if number(value) != int(value):
        raise TypeError(f"a whole number is needed, got {value!r}")
    return int(value)


def text(value: Any) -> str:
    """A JSON string."""
    if not isinstance(value, str):
        raise TypeError(f"a text is needed, got {value!r}")
    return value


def flag(value: Any) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise TypeError(f"true or false is needed, got {value!r}")
    return value


def listed(value: Any, read: Callable[[Any], T], count: int | None = None) -> list[T]:
    """A JSON list of `count` (any number for None) values that `read` takes."""
    if not isinstance(value, list | tuple) or count not in (None, len(value)):
        wanted = "a list" if count is None else f"a list of {count}"
        raise TypeError(f"{wanted} is needed, got {value!r}")
    return [read(entry) for entry in value]


def optional(value: Any, read: Callable[[Any], T]) -> T | None:
    """None, or what `read` makes of the value."""
    return None if value is None else read(value)


def two(value: Any) -> tuple[int, int]:
    """A JSON list of two whole numbers."""
    first, second = listed(value, whole, 2)
    return first, second


def _kind(value: Any) -> str:
    return type(value).__name__
