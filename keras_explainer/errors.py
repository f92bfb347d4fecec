"""Errors of keras_explainer: each names what was given and what is accepted."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any

MOST_LETTERS = 4_000
"""The longest message; what a file holds is quoted in it, and may be endless."""
# Terminals obey these, and logs are read line by line.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_CONTROLS |= {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F))
}
del _CONTROLS[ord("\n")], _CONTROLS[ord("\t")]


def printable(text: str) -> str:
    """`text` without what a terminal obeys: names of files may hold control codes."""
    return text.translate(_CONTROLS)


def one_line(error: object, most: int = 300) -> str:
    """What another library says, without its line breaks, at most `most` letters."""
    return " ".join(str(error).split())[:most]


class KerasExplainerError(Exception):
    """Base of all errors that the package raises on purpose.

    As text it has at most 4,000 letters and no control characters: names of files and
    what is in them are quoted.
    """

    def __str__(self) -> str:
        text = printable(super().__str__())
        if len(text) <= MOST_LETTERS:
            return text
        return f"{text[: MOST_LETTERS - 500]} […] {text[-490:]}"


class TeacherError(KerasExplainerError, ValueError):
    """A teacher, tap or target that cannot be used; the message says which can."""


class DataError(KerasExplainerError, ValueError):
    """Images, part tables or arrays that cannot be used."""


class CacheError(KerasExplainerError, RuntimeError):
    """A feature cache that is damaged, foreign or cannot be written."""


class RunError(KerasExplainerError, RuntimeError):
    """A run folder that is missing, foreign, incomplete or cannot be written."""


class ZooError(KerasExplainerError, RuntimeError):
    """An entry or file of the zoo that is missing, foreign or cannot be downloaded."""


class ExportError(KerasExplainerError, RuntimeError):
    """An export that cannot be written, or would replace one."""


class DatasetJobError(KerasExplainerError, RuntimeError):
    """A dataset that cannot be explained: its output is foreign, in use or full, its
    workers die, or lack the model."""


class ServingError(KerasExplainerError, RuntimeError):
    """A server that does not give what a client asks for.

    Attributes:
        retryable: Whether the same request may succeed a little later.
    """

    retryable = False


class ServerDownError(ServingError, ConnectionError):
    """No server answers there, or the connection broke before the answer was whole."""

    retryable = True


class ServerFaultError(ServingError):
    """The server, or one before it, failed at the request or is overloaded."""

    retryable = True


class DeadlineError(ServingError, TimeoutError):
    """The answer did not come in time."""


class TlsError(ServingError, ConnectionError):
    """The connection cannot be made safe: a certificate, a key or the protocol."""


class RefusedError(ServingError, ValueError):
    """The server refuses the request; the same one would be refused again."""


class UnknownModelError(RefusedError):
    """The server has no such model."""


class UnknownVersionError(RefusedError):
    """The server has the model, but not this version or label of it."""


class UnknownSignatureError(RefusedError):
    """The model has no such endpoint."""


class MessageTooLargeError(ServingError, ValueError):
    """A request or an answer is larger than what one of the sides takes."""


class BadAnswerError(ServingError, ValueError):
    """An answer that no served explainer gives: no JSON, wrong shapes, NaN."""


class BadImageError(ServingError, DataError):
    """Images that the server could not explain; the others are not lost.

    Attributes:
        rows: {row: what is wrong with the image}.
        found: The explanations of the other rows, or None.
    """

    def __init__(self, message: str, rows: dict[int, str], found: Any = None) -> None:
        super().__init__(message)
        self.rows = rows
        self.found = found


class ReportError(KerasExplainerError, RuntimeError):
    """A report that cannot be written, or would replace one."""


class DivergenceError(KerasExplainerError, ArithmeticError):
    """Learning gave NaN or infinity; the last good weights were kept."""


class ConfigError(KerasExplainerError, ValueError):
    """An argument or a configuration value that is not accepted."""


def nearest(name: str, choices: Iterable[str], count: int = 3) -> list[str]:
    """The `count` choices closest in spelling to `name`, best first."""
    return difflib.get_close_matches(
        str(name), [str(choice) for choice in choices], n=count, cutoff=0.3
    )


def did_you_mean(name: str, choices: Iterable[str], count: int = 3) -> str:
    """A sentence for an error message that lists the nearest valid choices."""
    choices = [str(choice) for choice in choices]
    close = nearest(name, choices, count)
    if close:
        return f"Nearest valid: {', '.join(close)}."
    shown = ", ".join(choices[:10]) + (", …" if len(choices) > 10 else "")
    return f"Valid: {shown}." if choices else "There is no valid choice."


def whole_number(name: str, value: Any) -> int:
    """`value` as an int from 1 up; raises `ConfigError` with its name otherwise."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and int(value) > 0:
        return int(value)
    raise ConfigError(f"{name} is a whole number from 1, got {value!r}.")
